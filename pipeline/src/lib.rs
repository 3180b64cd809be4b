//! Runs the stages of a pipeline.yaml: dataset, train, export, verify, eval.
