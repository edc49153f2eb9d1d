// Package causal holds the events of a run in memory, and answers what came before
// what: the causal past and future of an event, whether two events are concurrent, and
// the chains of messages between them.
package causal
