/**
 * How a run shows itself: a live picture on a terminal, plain lines anywhere else.
 *
 * Invariant: the terminal is given back as it was found, however the launcher ends. On a terminal, plain lines are
 * kept until then and printed below.
 */
import { dashboardLines } from './dashboard.mjs';

const FRAME_EVERY_MS = 100;
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE_END = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

/** Colours, or none where nobody would see them or the user said so (https://no-color.org). */
export const createPaint = ({ coloured }) => {
  const style = (open, close) => (text) => (coloured ? `\u001b[${open}m${text}\u001b[${close}m` : text);
  return {
    bold: style(1, 22),
    dim: style(2, 22),
    red: style(31, 39),
    green: style(32, 39),
    yellow: style(33, 39),
  };
};

/**
 * @param {{ output: NodeJS.WriteStream, environment: NodeJS.ProcessEnv }} where
 */
export const createScreen = ({ output, environment }) => {
  const live = output.isTTY === true && environment.TERM !== 'dumb';
  const paint = createPaint({ coloured: live && !environment.NO_COLOR });
  let timer;

  const leave = () => {
    if (timer === undefined) return;
    clearInterval(timer);
    timer = undefined;
    process.removeListener('exit', leave);
    output.write(LEAVE);
  };

  return {
    live,
    paint,
    /** A fact worth a line of its own where there is no picture. */
    line: (text) => {
      if (timer === undefined) output.write(`${text}\n`);
    },
    /** Starts drawing what `model()` returns, many times a second, at the size the terminal has then. */
    start: (model) => {
      if (!live) return;
      const draw = () => {
        const lines = dashboardLines(model(), { columns: output.columns ?? 80, rows: output.rows ?? 24 });
        output.write(`${HOME}${lines.map((line) => line + CLEAR_LINE_END).join('\n')}${CLEAR_BELOW}`);
      };
      output.write(ENTER);
      timer = setInterval(draw, FRAME_EVERY_MS);
      process.once('exit', leave);
      draw();
    },
    /** Gives the terminal back; what is printed from now on stays. */
    stop: leave,
  };
};
