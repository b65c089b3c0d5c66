//! One round each of slotted and of its peers: work is handed over, run, and its result is taken. The same function is measured in
//! instructions and in flash.

pub mod slotted;
