/** docs/OTP.md accounts for every case of supervisor_SUITE: a test of that name, or a reason why it has no meaning here. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { suiteCases } from '../otp/recorded-suite.ts';

const page = readFileSync(new URL('../../docs/OTP.md', import.meta.url), 'utf8');
const folder = new URL('../otp/', import.meta.url);
const titles = readdirSync(folder)
  .filter((name) => name.endsWith('.test.ts'))
  .flatMap((name) => [
    ...readFileSync(new URL(name, folder), 'utf8').matchAll(/\bit(?:\.each\([\s\S]*?\))?\(\s*'([^']+)'/g),
  ])
  .map((found) => found[1] ?? '');

/** All cases of OTP 25.2.3, and those added since. */
const CASES = `
  sup_start_normal sup_start_ignore_init sup_start_ignore_child sup_start_ignore_temporary_child
  sup_start_ignore_temporary_child_start_child sup_start_ignore_temporary_child_start_child_simple
  sup_start_ignore_permanent_child_start_child_simple sup_start_error_return sup_start_fail
  sup_start_restart_child_returns_error sup_start_child_returns_error
  sup_start_child_returns_error_simple sup_start_map sup_start_map_simple sup_start_map_faulty_specs
  sup_stop_infinity sup_stop_timeout sup_stop_timeout_dynamic sup_stop_brutal_kill
  sup_stop_brutal_kill_dynamic sup_stop_race sup_stop_non_shutdown_exit_dynamic child_adm
  child_adm_simple child_specs child_specs_map extra_return sup_flags permanent_normal
  permanent_shutdown permanent_abnormal transient_normal transient_shutdown transient_abnormal
  temporary_normal temporary_shutdown temporary_abnormal faulty_application_shutdown temporary_bystander
  multiple_restarts one_for_one one_for_one_escalation one_for_all one_for_all_escalation
  one_for_all_other_child_fails_restart rest_for_one rest_for_one_escalation
  rest_for_one_other_child_fails_restart simple_one_for_one simple_one_for_one_shutdown
  simple_one_for_one_extra simple_one_for_one_corruption simple_one_for_one_escalation child_unlink tree
  count_children count_children_supervisor count_restarting_children get_callback_module
  do_not_save_start_parameters_for_temporary_children do_not_save_child_specs_for_temporary_children
  simple_one_for_one_scale_many_temporary_children simple_global_supervisor hanging_restart_loop
  hanging_restart_loop_rest_for_one hanging_restart_loop_simple code_change code_change_map
  code_change_simple code_change_simple_map order_of_children scale_start_stop_many_children
  format_log_1 format_log_2 nonsignificant_temporary nonsignificant_transient significant_temporary
  significant_transient significant_simple significant_bystander significant_escalation
  significant_upgrade_never_any significant_upgrade_never_all significant_upgrade_any_never
  significant_upgrade_any_all significant_upgrade_all_never significant_upgrade_all_any
  significant_upgrade_child external_start_no_progress_log simple_one_for_one_restart_ignore
  already_started_outside_supervisor which_children which_children_simple_one_for_one`
  .trim()
  .split(/\s+/);

const section = (from: string, to: string): readonly string[] =>
  [...page.slice(page.indexOf(from), page.indexOf(to)).matchAll(/`([a-z]+(?:_[a-z0-9]+)*)`/g)].map(
    (found) => found[1] ?? '',
  );
const tested = section('## supervisor_SUITE', 'Without a meaning in Node:');
const meaningless = section('Without a meaning in Node:', '## gen_server');

describe('docs/OTP.md', () => {
  it('names tests that are there, in full', () => {
    const named = [...page.matchAll(/`([\w/.-]+\.test\.ts)`/g)].map((found) => found[1] ?? '');
    const missing = named.filter((path) => !existsSync(new URL(`../../${path}`, import.meta.url)));
    expect({ missing, some: named.length > 10 }).toEqual({ missing: [], some: true });
  });
});

describe('the cases of supervisor_SUITE', () => {
  it('are 88 and 5', () => {
    expect(CASES).toHaveLength(93);
    expect(new Set(CASES).size).toBe(93);
  });

  it.each(CASES)('%s has a test of its name, or a reason in docs/OTP.md', (name) => {
    const named = [
      ...suiteCases.map((one) => one.case),
      ...titles.flatMap((title) => title.split(/[\s,:]+/)),
    ];
    const count = (names: readonly string[]) => names.filter((one) => one === name).length;
    expect({ inPage: count(tested) + count(meaningless), hasTest: named.includes(name) }).toEqual({
      inPage: 1,
      hasTest: count(tested) === 1,
    });
  });
});
