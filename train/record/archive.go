package record

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"diaghess/train/atomicfile"
)

// Archive writes a zip archive of a study's records to a file, for publishing: what [Read] reads of the
// folder, without checkpoints and reports. Equal records give equal archives. A folder that Read refuses, or
// that is not a whole study, is refused. When the context ends, its error is returned and the file is as
// it was.
func Archive(ctx context.Context, study, file string) error {
	if _, err := Read(study); err != nil {
		return err
	}
	if !isStudy(study) {
		return fmt.Errorf("%s is not the folder of a study: an archive is of one whole study", study)
	}
	root := stoppable{ctx, os.DirFS(study), "."}
	names, err := find(root, study, ".", StudyFile, PlanFile, TunedFile, configFile, epochsFile, finalFile)
	if err != nil {
		return err
	}
	ledger, err := fs.ReadDir(root, LedgerFolder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range ledger {
		names = append(names, path.Join(LedgerFolder, entry.Name()))
	}
	return atomicfile.Write(file, func(w io.Writer) error {
		archive := zip.NewWriter(w)
		for _, name := range names {
			inRun, err := path.Match(runPattern+"/*", name)
			if err != nil {
				return err
			}
			if folder := path.Dir(name); folder != "." && folder != LedgerFolder && !inRun || strings.HasPrefix(path.Base(name), ".") {
				continue // of the user's own, or half written
			}
			content, err := readAll(root, name)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				return unreadable(filepath.Join(study, filepath.FromSlash(name)), err)
			}
			header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
			header.SetMode(0o644)
			part, err := archive.CreateHeader(header)
			if err != nil {
				return err
			}
			if _, err := part.Write(content); err != nil {
				return err
			}
		}
		return archive.Close()
	})
}
