package train

import (
	"runtime"
	"runtime/debug"
)

// commit is the source commit that the Makefile sets at link time.
var commit string

// Build says what made a record, as far as it can change the bits.
type Build struct {
	Commit   string `json:"commit"`   // of the source; "unknown" outside a checkout, "+" where it was changed
	Go       string `json:"go"`       // compiler
	Platform string `json:"platform"` // operating system and processor
}

// String names the build for a person.
func (b Build) String() string { return b.Commit + " " + b.Go + " " + b.Platform }

// ThisBuild describes the running program.
func ThisBuild() Build {
	b := Build{Commit: commit, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if b.Commit != "" {
		return b
	}
	b.Commit = "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	changed := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			changed = s.Value == "true"
		}
	}
	if changed {
		b.Commit += "+"
	}
	return b
}
