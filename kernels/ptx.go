package kernels

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"sync"
)

// ptxFiles is what nvcc made of the .cu files, see make kernels: a module of each family
// of kernels, such as ptx/batchnorm.ptx of batchnorm.cu.
//
//go:embed ptx/*.ptx
var ptxFiles embed.FS

// modules are the files by the entries that they have.
var modules = sync.OnceValue(func() map[string]string {
	entry := regexp.MustCompile(`\.entry (\w+)\(`)
	files, err := fs.Glob(ptxFiles, "ptx/*.ptx")
	if err != nil {
		panic("kernels: " + err.Error()) // the pattern is wrong
	}
	found := map[string]string{}
	for _, file := range files {
		source, err := ptxFiles.ReadFile(file)
		if err != nil {
			panic("kernels: " + err.Error()) // the file is in the program
		}
		for _, match := range entry.FindAllSubmatch(source, -1) {
			found[string(match[1])] = file
		}
	}
	return found
})

// Module returns the PTX that has an entry, a kernel's Entry(), and the name of its file. It returns
// an error if no PTX has the entry.
func Module(entry string) (name, source string, err error) {
	file, ok := modules()[entry]
	if !ok {
		return "", "", fmt.Errorf("no PTX of kernel %s in this program: write its CUDA body, run make kernels and build again", entry)
	}
	text, err := ptxFiles.ReadFile(file)
	return path.Base(file), string(text), err
}
