/** The job of the `thread` cases as workerpool wants it. */
import workerpool from 'workerpool';

workerpool.worker({ noop: () => 1 });
