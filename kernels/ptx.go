package kernels

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// ptxFiles is what nvcc made of the .cu files, see make kernels.
//
//go:embed ptx/*.ptx
var ptxFiles embed.FS

// PTX returns the PTX source of a family of kernels, such as "batchnorm" of
// batchnorm.cu: a module with an entry for each of the family's kernels.
func PTX(family string) (string, error) {
	source, err := ptxFiles.ReadFile("ptx/" + family + ".ptx")
	if err != nil {
		return "", fmt.Errorf("no PTX of kernels/%s.cu in this program: run make kernels and build again", family)
	}
	return string(source), nil
}

// Families returns the names of the families, in alphabetical order.
func Families() []string {
	files, err := fs.Glob(ptxFiles, "ptx/*.ptx")
	if err != nil {
		panic("kernels: " + err.Error()) // the pattern is wrong
	}
	families := make([]string, len(files))
	for i, file := range files {
		families[i] = strings.TrimSuffix(path.Base(file), ".ptx")
	}
	return families
}

// FamilyOf returns the family whose PTX has the entry, a kernel's Entry().
func FamilyOf(entry string) (string, error) {
	for _, family := range Families() {
		source, err := PTX(family)
		if err != nil {
			return "", err
		}
		if strings.Contains(source, ".entry "+entry+"(") {
			return family, nil
		}
	}
	return "", fmt.Errorf("no PTX of kernel %s in this program: write its CUDA body, run make kernels and build again", entry)
}

// Module returns the PTX that has an entry, and the name of its file. It returns an error
// if no PTX has the entry.
func Module(entry string) (name, source string, err error) {
	family, err := FamilyOf(entry)
	if err != nil {
		return "", "", err
	}
	source, err = PTX(family)
	return family + ".ptx", source, err
}
