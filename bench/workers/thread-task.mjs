/** The job of the `thread` cases as piscina and tinypool want it: the default export of a file. */
export default () => 1;
