import { describeGroup } from './recorded-suite.ts';

describeGroup('administration');
