//! What is built on calls to sources: analyses of Spark applications.
//!
//! Asks sources over the links that calls go over, and keeps what it found out for the organisation. Never decides
//! what is wrong with an application (that is `providers::spark`, which is pure), never answers a caller of a preset
//! (that is `proxy`, which has it carry out calls that are an analysis), and never draws. One more kind of insight is a folder here.

mod analysis;

pub use analysis::{
    Analyses, AnalysisError, AnalysisFilter, AnalysisParts, AnalysisSettings, AnalysisUsage, Comparison,
    FindingChange, KeptReport, ModelSettings, NewAnalysis, Rewritten, SettingChange, StageChange, SumChange,
    Unit, Verdict, compare, may_cancel,
};
