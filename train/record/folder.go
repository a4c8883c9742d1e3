package record

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"diaghess/train/atomicfile"
)

// RunOf returns the folder of a job in a study. A run that an earlier version began under
// another name stays where it is: it did not shorten names, and called estimators otherwise.
func RunOf(study string, j Job) Run {
	all := j.folders()
	for _, folder := range all {
		if _, err := os.Stat(filepath.Join(study, filepath.Dir(folder))); err == nil {
			return Run{filepath.Join(study, folder)}
		}
	}
	return Run{filepath.Join(study, all[0])}
}

// Folder is the folder of the job's run in a study, with slashes.
func (j Job) Folder() string { return filepath.ToSlash(j.folders()[0]) }

// folders are the folders in a study that a job may have, the present one first.
func (j Job) folders() (all []string) {
	for _, name := range []string{folderName(j.Optimizer), plainName(j.Optimizer), plainName(withEstimator(j.Optimizer, former))} {
		all = append(all, filepath.Join(j.Dataset, name, fmt.Sprintf("seed-%02d", j.Seed)))
	}
	return all
}

// runPattern matches the folders of a study's runs.
const runPattern = "*/*/seed-*"

// longestName is how many bytes a name that is made of a spec has at most. Some file
// systems take no more than 143.
const longestName = 100

// folderName is an optimizer's spec as the name of a folder; config.json has all of a long one.
func folderName(spec string) string { return ShortName(plainName(spec)) }

// ShortName is a name of a file or folder that file systems take: of a long one its start,
// and a part of the SHA-256 of the whole.
func ShortName(name string) string {
	if len(name) <= longestName {
		return name
	}
	sum := fmt.Sprintf("-%x", sha256.Sum256([]byte(name)))[:17]
	return strings.ToValidUTF8(name[:longestName-len(sum)], "") + sum
}

// plainName is a spec with underscores for the characters that some file system does not take.
func plainName(spec string) string { return strings.NewReplacer(":", "_", ",", "_").Replace(spec) }

// reportFiles are patterns of the names of a report's files, which a study writes into its folder.
var reportFiles = []string{"index.html", "report.md", "comparisons.csv", "metrics.csv", "summary.csv", "ttest.csv", "ttest-*.csv"}

// studyFiles are patterns of the names of all files in a study's folder but its runs.
var studyFiles = append([]string{StudyFile, PlanFile, TunedFile}, reportFiles...)

// Sweep removes what killed processes left in a study's folder and in those of its runs: files
// half written, and the checkpoint of a run that has ended. Nobody else may be at work there.
func Sweep(ctx context.Context, study string) error {
	runs, err := filepath.Glob(filepath.Join(escaped(study), filepath.FromSlash(runPattern)))
	err = cmp.Or(err, atomicfile.Sweep(study, studyFiles...))
	for _, run := range runs {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err = cmp.Or(err, atomicfile.Sweep(run, configFile, epochsFile, finalFile, checkpointFile, checkpointFile+"-*"))
		if _, missing := os.Lstat(Run{run}.path(checkpointFile)); missing == nil {
			if _, ended, wrong := (Run{run}).Final(); ended && wrong == nil {
				err = cmp.Or(err, Run{run}.Forget())
			}
		}
	}
	return err
}

// escaped is a path as a pattern that matches it alone.
func escaped(path string) string {
	if filepath.Separator == '\\' {
		return path // there a pattern has no escapes
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// Begun says whether a study's folder holds a run.
func Begun(study string) (bool, error) {
	configs, err := fs.Glob(os.DirFS(study), runPattern+"/"+configFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return len(configs) > 0, err
}

// BegunRuns returns the configs of the runs in a study's folder, without those whose config.json
// is damaged, or the error of a context that ends before.
func BegunRuns(ctx context.Context, study string) (configs []Config, err error) {
	folders, err := filepath.Glob(filepath.Join(escaped(study), filepath.FromSlash(runPattern)))
	for _, folder := range folders {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if config, there, wrong := (Run{folder}).Config(); there && wrong == nil {
			configs = append(configs, config)
		}
	}
	return configs, err
}

// isStudy says whether a folder is a study's: by its study.json or, if that is damaged, by
// its runs.
func isStudy(folder string) bool {
	var study Study
	content, err := readAll(os.DirFS(folder), StudyFile)
	if err != nil {
		return false
	}
	if json.Unmarshal(content, &study) == nil && len(study.Jobs) > 0 {
		return true
	}
	begun, err := Begun(folder)
	return err == nil && begun
}

// CheckFolder says why a study cannot be in a folder. The folder is inside another study, or
// another is inside it. Or the study would replace a file that is not its own, unless force
// allows that, or the context ends. The folder need not exist.
func CheckFolder(ctx context.Context, folder string, force bool) error {
	typed, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	whole := resolved(typed)
	_, isShard := shardOf(filepath.Base(folder))
	const remedy = "choose a folder outside of it with --out, because a report reads all runs below a folder"
	for _, inner := range []string{typed, whole} {
		for above := filepath.Dir(inner); above != inner; inner, above = above, filepath.Dir(above) {
			if isStudy(above) && !(isShard && above == filepath.Dir(typed)) { // see CheckShard
				return fmt.Errorf("%s is inside the study %s: %s", folder, above, remedy)
			}
		}
	}
	files, err := find(stoppable{ctx, os.DirFS(whole), "."}, whole, ".", StudyFile, finalFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		inner := path.Dir(file)
		if path.Base(file) == finalFile {
			inner = path.Join(inner, strings.Repeat("../", runDepth))
		}
		if inner == "." {
			continue
		}
		other := filepath.Join(whole, filepath.FromSlash(inner))
		if begun, err := Begun(other); isStudy(other) || err == nil && begun {
			return fmt.Errorf("%s holds another study, %s: %s", folder, filepath.Join(folder, filepath.FromSlash(inner)), remedy)
		}
	}
	begun, err := Begun(whole)
	if force || begun || isStudy(whole) {
		return nil
	}
	if err != nil {
		return err
	}
	patterns := studyFiles
	if plan, err := ReadPlan(filepath.Join(whole, PlanFile)); err == nil && plan != nil {
		patterns = slices.DeleteFunc(slices.Clone(patterns), func(p string) bool { return p == PlanFile })
	}
	return CheckFiles(folder, patterns...)
}

// resolved is a path without symbolic links, as far as it exists.
func resolved(path string) string {
	if whole, err := filepath.EvalSymlinks(path); err == nil || path == filepath.Dir(path) {
		return cmp.Or(whole, path)
	}
	return filepath.Join(resolved(filepath.Dir(path)), filepath.Base(path))
}

// CheckFiles says which files of a folder match one of the patterns, if any does: they
// would be replaced.
func CheckFiles(folder string, patterns ...string) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var files []string
	for _, entry := range entries {
		if slices.ContainsFunc(patterns, func(p string) bool { matches, _ := path.Match(p, entry.Name()); return matches }) {
			files = append(files, entry.Name())
		}
	}
	if len(files) == 0 {
		return nil
	}
	return fmt.Errorf("%s holds files that this program did not make and would replace (%s): choose another folder with --out, or add --force to replace them",
		folder, strings.Join(files, ", "))
}

// find returns the files of some names below a folder of a file system, in the order of a walk.
// It follows symbolic links to folders, after all other folders, and takes none twice. It leaves
// out the folders of shards. root is where the file system lies, for errors.
func find(fsys fs.FS, root, folder string, names ...string) ([]string, error) {
	w, err := search(fsys, root, folder, names...)
	return w.files, err
}

// search is find with all that the walk tells.
func search(fsys fs.FS, root, folder string, names ...string) (w walk, err error) {
	info, err := fs.Stat(fsys, folder)
	if err != nil {
		return w, err
	}
	w = walk{fs: fsys, names: names}
	if err := w.folder(folder, info); err != nil {
		return walk{}, err
	}
	for len(w.links) > 0 {
		link := w.links[0]
		w.links = w.links[1:]
		info, err := fs.Stat(fsys, link)
		switch source := filepath.Join(root, filepath.FromSlash(link)); {
		case errors.Is(err, fs.ErrNotExist):
			to, _ := os.Readlink(source) // its error leaves the name empty
			return walk{}, fmt.Errorf("%s is a symbolic link to %s, which does not exist: make that, or remove the link", source, to)
		case errors.Is(err, syscall.ELOOP):
			w.loops = append(w.loops, link)
			continue
		case err != nil:
			return walk{}, err
		case !info.IsDir() || w.seen(info) || holds(source, root):
			continue
		}
		w.linked = append(w.linked, info)
		if err := w.folder(link, info); err != nil {
			return walk{}, err
		}
	}
	slices.SortFunc(w.files, func(a, b string) int { return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/")) })
	return w, nil
}

// walk is a search for the files of some names.
type walk struct {
	fs     fs.FS
	names  []string
	files  []string
	links  []string      // to be followed
	walked []fs.FileInfo // folders
	linked []fs.FileInfo // of them those that links led to

	loops   []string // symbolic links that lead back to themselves
	sharded []string // folders that hold those of shards
}

// seen says whether a folder has been walked.
func (w *walk) seen(folder fs.FileInfo) bool {
	return slices.ContainsFunc(w.walked, func(other fs.FileInfo) bool { return os.SameFile(folder, other) })
}

// folder walks what is in a folder, but for links.
func (w *walk) folder(folder string, info fs.FileInfo) error {
	w.walked = append(w.walked, info)
	entries, err := fs.ReadDir(w.fs, folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		inner := path.Join(folder, entry.Name())
		switch {
		case slices.Contains(w.names, entry.Name()): // also a folder, which is told when it is read
			w.files = append(w.files, inner)
		case shardFolder.MatchString(entry.Name()): // which is read when it is asked for
			if n := len(w.sharded); n == 0 || w.sharded[n-1] != folder {
				w.sharded = append(w.sharded, folder)
			}
		case entry.IsDir():
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if slices.ContainsFunc(w.linked, func(other fs.FileInfo) bool { return os.SameFile(info, other) }) {
				continue
			}
			if err := w.folder(inner, info); err != nil {
				return err
			}
		case entry.Type()&fs.ModeSymlink != 0 && !strings.HasPrefix(entry.Name(), "."): // editors make hidden ones
			w.links = append(w.links, inner)
		}
	}
	return nil
}

// holds says whether the folder that a link leads to is above another.
func holds(link, folder string) bool {
	above, err := filepath.EvalSymlinks(link)
	if err != nil {
		return false
	}
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return false
	}
	if folder, err = filepath.Abs(folder); err == nil {
		above, err = filepath.Abs(above)
	}
	inner, relErr := filepath.Rel(above, folder)
	return err == nil && relErr == nil && inner != ".." && !strings.HasPrefix(inner, ".."+string(filepath.Separator))
}
