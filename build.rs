//! Tells cargo that a new migration changes the program, since `sqlx::migrate!` only sees the
//! files that were there before.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
