/** What a child's spec may not ask of its supervisor. */
import { refuse } from '../base/options.ts';
import type { Spec } from '../kernel/spec.ts';
import { backoffOf } from './child.ts';
import { checkReachable } from './restart-limit.ts';
import type { Rules } from './supervision.ts';

/**
 * Whether a child fits its supervisor's rules (OTP's bad_combination, and limits that could never be reached).
 *
 * @throws ERR_OPTION_INVALID, ERR_INTENSITY_UNREACHABLE
 */
export const checkChild = (where: string, child: Spec<unknown>, rules: Rules, isGroup = false): void => {
  if (child.significant && rules.autoShutdown === 'never')
    refuse(`${where}, child ${child.id}`, 'significant', "false where autoShutdown is 'never'", true);
  const { restartBudget } = child;
  if (isGroup && restartBudget?.onExceeded === 'park')
    refuse(
      `${where}, child ${child.id}`,
      'restartBudget',
      "'give_up' where siblings restart together",
      'park',
    );
  if (rules.giveUp !== undefined && restartBudget === undefined) return;
  const { intensity, periodMs } = restartBudget ?? rules;
  checkReachable(where, child.id, { intensity, periodMs, backoff: backoffOf(child, rules.backoff) });
};
