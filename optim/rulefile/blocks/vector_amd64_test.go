package blocks

func withoutVectors(run func()) {
	before := hasVectors
	hasVectors = false
	defer func() { hasVectors = before }()
	run()
}
