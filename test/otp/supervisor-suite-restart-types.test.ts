import { describeGroup } from './recorded-suite.ts';

describeGroup('restart types');
