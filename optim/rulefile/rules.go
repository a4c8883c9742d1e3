package rulefile

import (
	"embed"
	"slices"
	"strings"
)

//go:embed rules/*.rule
var files embed.FS

const folder, extension = "rules", ".rule"

// Builtin returns the names of the rules that are part of the program as rule files, sorted.
func Builtin() []string {
	entries, err := files.ReadDir(folder)
	if err != nil {
		panic("rulefile: " + err.Error()) // the embedded folder is there
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), extension))
	}
	slices.Sort(names)
	return names
}

// Source returns the text of the rule of a name in Builtin, and "" for another name.
func Source(name string) string {
	text, err := files.ReadFile(folder + "/" + name + extension)
	if err != nil {
		return ""
	}
	return string(text)
}
