//go:build !linux && !darwin

package main

// enough knows of no limits here.
func enough() error { return nil }
