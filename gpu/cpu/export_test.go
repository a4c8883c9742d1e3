package cpu

// NewAt opens a device whose assembly uses a level of vectors that the processor
// must have.
var NewAt = newAt
