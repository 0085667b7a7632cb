/**
 * The template of a dynamic supervisor whose children are all alike (OTP's simple_one_for_one): what is made of it for a
 * key.
 */
import { createError } from '../base/errors.ts';
import { either, fits, fn, refuse } from '../base/options.ts';
import { isSpec, type Spec } from '../kernel/spec.ts';

/** A spec that stands for all children, or a function that makes each child's. The key becomes the child's id. */
export type Template<H> = Spec<H> | ((key: string, input: unknown) => Spec<H>);

export const TEMPLATE = either(
  fits<Spec<unknown>>('a spec', isSpec),
  fn<(key: string, input: unknown) => Spec<unknown>>(),
);

/**
 * A spec's own children can stand in one place only, so a template that is a whole supervisor must be a function.
 *
 * @throws ERR_OPTION_INVALID
 */
export const checkTemplate = (where: string, template: Template<unknown>): void => {
  if (typeof template === 'function' || template.children.length === 0) return;
  refuse(where, 'template', 'a function that makes the spec, since it has children of its own', template.id);
};

/** @throws ERR_OPTION_INVALID where the function makes no spec */
export const instantiate = (
  where: string,
  template: Template<unknown>,
  child: { readonly key: string; readonly input: unknown },
): Spec<unknown> => {
  const { key, input } = child;
  if (typeof template !== 'function') return template.as(key, input);
  const made: unknown = template(key, input);
  if (!isSpec(made))
    throw createError('ERR_OPTION_INVALID', {
      where,
      field: 'template',
      expected: 'a function that makes a spec',
      got: String(made),
    });
  return made.as(key);
};
