/** A suite that measures nothing, for the tests of what runs suites. Its contestants say their figures themselves. */
const saying = (figure) => async (count) => figure * count;

const figures = (contestants) => () => ({ contestants });

export const suite = [
  {
    case: 'beside two',
    per: 'thing',
    rounds: 3,
    count: 1,
    open: figures({ troupe: saying(50), nact: saying(100), erlang: saying(25), absent: undefined }),
    aims: { nact: 0.4, erlang: 3 },
  },
  { case: 'alone', unit: 'bytes', rounds: 2, count: 10, open: figures({ troupe: saying(7) }), limit: 10 },
];
