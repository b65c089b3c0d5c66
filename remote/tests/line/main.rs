//! Both ends of a line that loses, flips, doubles, delays and reorders what is sent.

mod link;
mod noise;
mod table;
