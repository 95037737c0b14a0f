//! The fast lane: scenarios and transcripts that need no cluster.
