//! Both ends of a line that loses, flips, doubles, delays and reorders what is sent.

mod ends;
mod errors;
mod link;
mod noise;
mod table;
