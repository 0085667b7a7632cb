/**
 * The host of the OTP conformance suite. Invariant: a shutdown allowance that runs out does so while the tree settles, the
 * earliest first, and moves the clock by nothing; only `advance` moves it.
 */
import type { Timer, TimerOptions } from '../../../src/base/host.ts';
import { SimulatedHost } from '../../../src/testing/simulated-host.ts';

export class ScriptHost extends SimulatedHost {
  readonly #allowances: { at: number; fire: () => void }[] = [];

  override timer(delayMs: number, label: string, fire: () => void, options?: TimerOptions): Timer {
    if (label !== 'allowance') return super.timer(delayMs, label, fire, options);
    const entry = { at: this.monotonic() + delayMs, fire };
    if (delayMs !== Number.POSITIVE_INFINITY) this.#allowances.push(entry);
    return {
      cancel: () => {
        const index = this.#allowances.indexOf(entry);
        if (index >= 0) this.#allowances.splice(index, 1);
      },
    };
  }

  async calm(): Promise<void> {
    await this.settle();
    while (this.#allowances.length > 0) {
      this.#allowances.sort((a, b) => a.at - b.at);
      this.#allowances.shift()?.fire();
      await this.settle();
    }
  }
}
