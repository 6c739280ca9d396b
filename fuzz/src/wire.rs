//! Two machines and the hostile wire between them: that of `oxirtc-netsim`, whose steps a fuzzer makes.

use oxirtc_netsim::Hostile;
pub use oxirtc_netsim::{End, Machine, ROOM, Step};

/// Two machines with a hostile wire between them.
pub type Pair<M> = oxirtc_netsim::Pair<M, Hostile<<M as Machine>::Route>>;
