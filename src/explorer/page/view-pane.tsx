/** The view that the address names. */
import { place } from './address.ts';
import { NowPane } from './now-pane.tsx';

export const ViewPane = () => {
  switch (place.value.view) {
    default:
      return <NowPane />;
  }
};
