/** A suite that fails when it is opened, for the tests of what runs suites. */
export const suite = [
  {
    case: 'never',
    open: () => {
      throw new Error('it cannot be opened');
    },
  },
];
