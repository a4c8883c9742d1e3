package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The files of a study.
const (
	StudyFile = "study.json"
	PlanFile  = "plan.json"
	TunedFile = "tuned.json"
)

// Study is study.json: the runs of the study's last command.
type Study struct {
	Schema int   `json:"schema,omitempty" in:"0.."`
	Jobs   []Job `json:"jobs"`
}

// ParseStudy reads a study.json. path is where it lies, for messages.
func ParseStudy(path string, content []byte) (*Study, error) {
	study := &Study{}
	wrong := decode(path, content, study)
	if wrong == nil && len(study.Jobs) == 0 {
		wrong = Problems{{Place: path, Sentence: "lists no runs"}}
	}
	return study, wrong.remedied("The same study command writes " + path + " anew, and keeps the runs.").err()
}

// WriteStudy writes study.json into a study's folder.
func WriteStudy(folder string, jobs []Job) error {
	return write(filepath.Join(folder, StudyFile), Study{Schema, jobs})
}

// CheckSingle says that a folder holds a study of several runs, by its plan or its list of runs,
// which that of a single run would replace. Other single runs may be there.
func CheckSingle(folder string) error {
	var study Study
	content, err := readAll(os.DirFS(folder), StudyFile)
	if err == nil {
		err = json.Unmarshal(content, &study)
	}
	if err == nil && len(study.Jobs) > 1 || exists(folder, PlanFile) {
		return fmt.Errorf("%s holds a study of several runs, and a single one would replace its list of runs: choose another folder with --out", folder)
	}
	return nil
}

// Unended counts the runs that have begun in a study's folder, in one above it, or in a zip
// archive of one. It says too whether there is a study at all.
func Unended(name string) (begun int, study bool, err error) {
	tree, err := open(name)
	if err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, tree.close()) }()
	err = fs.WalkDir(tree.fs, ".", func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			study = study || entry.Name() == StudyFile
			if entry.Name() == configFile {
				begun++
			}
		}
		return err
	})
	return begun, study || begun > 0, err
}
