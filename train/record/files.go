package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"diaghess/train/atomicfile"
)

// versioned is a file's content with its schema.
type versioned struct {
	Schema int `json:"schema"`
}

// decode reads the content of a file into v. source names the file in errors.
func decode(source string, content []byte, v any) error {
	var version versioned
	err := json.Unmarshal(content, &version)
	if err == nil && version.Schema > Schema {
		return fmt.Errorf("%s has schema %d and this program knows %d: use the program that wrote it, or a newer one", source, version.Schema, Schema)
	}
	if err == nil {
		err = json.Unmarshal(content, v)
	}
	if err != nil {
		return fmt.Errorf("%s is damaged: %w", source, err)
	}
	return nil
}

// readFile reads a file of fsys into v; it returns false where there is no such file. root
// is where fsys lies, for errors.
func readFile(fsys fs.FS, root, name string, v any) (bool, error) {
	content, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, decode(filepath.Join(root, filepath.FromSlash(name)), content, v)
}

// write writes v as JSON, whole or not at all.
func write(path string, v any) error {
	content, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return atomicfile.WriteBytes(path, append(content, '\n'))
}
