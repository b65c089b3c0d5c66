//! The pages of the documentation.
//!
//! Each page is a file of `docs/`, which is readable by itself: its links lead to files. Here the
//! definitions that stand before a page win, and its links lead to pages and items.
#![forbid(unsafe_code)]

#[doc = include_str!("docs/from_python.md")]
pub mod from_python {}

#[doc = include_str!("docs/from_k_work.md")]
pub mod from_k_work {}

#[doc = "[costs]: mod@costs\n"]
#[doc = "[tokio]: mod@beside_tokio\n"]
#[doc = include_str!("docs/beside_embassy.md")]
pub mod beside_embassy {}

#[doc = "[costs]: mod@costs\n"]
#[doc = "[benchmarks]: mod@benchmarks\n"]
#[doc = include_str!("docs/beside_tokio.md")]
pub mod beside_tokio {}

#[doc = "[costs]: mod@costs\n"]
#[doc = include_str!("docs/time.md")]
pub mod time {}

#[doc = "[`Levels`]: crate::Levels\n"]
#[doc = "[`Submitter`]: crate::Submitter\n"]
#[doc = "[`Timetable`]: crate::Timetable\n"]
#[doc = "[executor]: crate::Executor::level_stats\n"]
#[doc = "[handle]: crate::JoinHandle::raise\n"]
#[doc = "[park]: crate::Park::ready_at\n"]
#[doc = "[planning]: mod@planning\n"]
#[doc = "[worker]: crate::Worker::run_one\n"]
#[doc = include_str!("docs/priorities.md")]
pub mod priorities {}

#[doc = "[costs]: mod@costs\n"]
#[doc = "[simulation]: mod@simulation\n"]
#[doc = include_str!("docs/planning.md")]
pub mod planning {}

#[doc = "[orderings]: mod@orderings\n"]
#[doc = "[rejected]: mod@rejected\n"]
#[doc = include_str!("docs/how_we_know.md")]
pub mod how_we_know {}

#[doc = "[architecture]: mod@architecture\n"]
#[doc = include_str!("docs/orderings.md")]
pub mod orderings {}

#[doc = "[porting]: mod@porting\n"]
#[doc = include_str!("docs/sizes.md")]
pub mod sizes {}

#[doc = "[`Owned`]: crate::Owned\n"]
#[doc = "[porting]: mod@porting\n"]
#[doc = include_str!("docs/boards.md")]
pub mod boards {}

#[doc = "[costs]: mod@costs\n"]
#[doc = "[`Clock`]: crate::Clock\n"]
#[doc = "[`Park`]: crate::Park\n"]
#[doc = "[`run_one`]: crate::Executor::run_one\n"]
#[doc = "[`Spawn`]: crate::Spawn\n"]
#[doc = "[`SpinHost`]: crate::SpinHost\n"]
#[doc = "[`Worker`]: crate::Worker\n"]
#[doc = "[priorities]: mod@priorities\n"]
#[doc = include_str!("docs/porting.md")]
pub mod porting {}

#[doc = "[know]: mod@how_we_know\n"]
#[doc = include_str!("docs/simulation.md")]
pub mod simulation {}

#[doc = "[architecture]: mod@architecture\n"]
#[doc = "[benchmarks]: mod@benchmarks\n"]
#[doc = include_str!("docs/costs.md")]
pub mod costs {}

#[doc = "Time on a desktop, beside other pools; where `slotted` loses, and why."]
#[doc = ""]
#[doc = include_str!("charts/overview.svg")]
#[doc = ""]
#[doc = "[charts]: #charts\n"]
#[doc = "[costs]: mod@costs\n"]
#[doc = "[fair]: crate::Park::FAIR\n"]
#[doc = "[porting]: mod@porting\n"]
#[doc = "[rejected]: mod@rejected\n"]
#[doc = include_str!("docs/benchmarks.md")]
#[doc = ""]
#[doc = include_str!("charts/w1.svg")]
#[doc = ""]
#[doc = include_str!("charts/w1i.svg")]
#[doc = ""]
#[doc = include_str!("charts/w2.svg")]
#[doc = ""]
#[doc = include_str!("charts/w3.svg")]
#[doc = ""]
#[doc = include_str!("charts/w4.svg")]
#[doc = ""]
#[doc = include_str!("charts/w5.svg")]
#[doc = ""]
#[doc = include_str!("charts/w6.svg")]
#[doc = ""]
#[doc = include_str!("charts/w7.svg")]
#[doc = ""]
#[doc = include_str!("charts/w8.svg")]
#[doc = ""]
#[doc = include_str!("charts/w9.svg")]
#[doc = ""]
#[doc = include_str!("charts/w10.svg")]
#[doc = ""]
#[doc = include_str!("charts/w11.svg")]
pub mod benchmarks {}

#[doc = "[fair]: crate::Park::FAIR\n"]
#[doc = "[rejected]: mod@rejected\n"]
#[doc = "[stop]: crate::Stop\n"]
#[doc = include_str!("docs/architecture.md")]
pub mod architecture {}

#[doc = "[architecture]: mod@architecture\n"]
#[doc = "[benchmarks]: mod@benchmarks\n"]
#[doc = "[costs]: mod@costs\n"]
#[doc = "[fair]: crate::Park::FAIR\n"]
#[doc = include_str!("docs/rejected.md")]
pub mod rejected {}
