<<<<<<< HEAD
//! What several tests need: golden files, targets that play a script, clients, recorders.
=======
//! What several tests need: golden files, sample reports, a reader of tags.
>>>>>>> report

pub mod certificates;
pub mod client;
pub mod contract;
pub mod golden;
<<<<<<< HEAD
pub mod notes;
=======
pub mod markup;
>>>>>>> report
pub mod sample_report;
pub mod served;
pub mod upstream;
