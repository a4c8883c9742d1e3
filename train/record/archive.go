package record

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
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
// that is not a whole study, is refused, and so is one whose records change meanwhile. When the context
// ends, its error is returned and the file is as it was.
func Archive(ctx context.Context, study, file string) error {
	before, err := Read(study)
	if err != nil {
		return err
	}
	if !isStudy(study) {
		return fmt.Errorf("%s is not the folder of a study: an archive is of one whole study", study)
	}
	content, err := archived(ctx, stoppable{ctx, os.DirFS(study), "."}, study, before[0])
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(file, content)
}

// archived returns an archive of a study's records in root, which were read before.
func archived(ctx context.Context, root fs.FS, study string, before Content) ([]byte, error) {
	names, err := find(root, study, ".", StudyFile, PlanFile, TunedFile, configFile, epochsFile, finalFile)
	if err != nil {
		return nil, err
	}
	ledger, err := fs.ReadDir(root, LedgerFolder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range ledger {
		names = append(names, path.Join(LedgerFolder, entry.Name()))
	}
	var content bytes.Buffer
	archive := zip.NewWriter(&content)
	for _, name := range names {
		inRun, err := path.Match(runPattern+"/*", name)
		if err != nil {
			return nil, err
		}
		if folder := path.Dir(name); folder != "." && folder != LedgerFolder && !inRun || strings.HasPrefix(path.Base(name), ".") {
			continue // of the user's own, or half written
		}
		text, err := readAll(root, name)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, unreadable(filepath.Join(study, filepath.FromSlash(name)), err)
		}
		header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
		header.SetMode(0o644)
		part, err := archive.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := part.Write(text); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	reader, err := zip.NewReader(bytes.NewReader(content.Bytes()), int64(content.Len()))
	if err != nil {
		return nil, err
	}
	t := &tree{fs: reader, root: study, archive: true}
	if err := t.find("."); err != nil {
		return nil, err
	}
	after, wrong := t.read(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if wrong != nil || len(after) != 1 || len(after[0].Runs) != len(before.Runs) || len(after[0].Ledger) > len(before.Ledger) {
		return nil, fmt.Errorf("the records of %s changed while they were read: make the archive when the study is not at work", study)
	}
	return content.Bytes(), nil
}
