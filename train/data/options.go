package data

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"diaghess/nearest"
)

// Options are what a spec of a dataset says behind the colon, key=value,...
type Options struct {
	// Label is the column with the classes, or the file with them beside an .npy file.
	Label string
	// Test is a file with the rows for testing, of the same form.
	Test string
	// Split is the part of the rows of each class that a run keeps for testing, by its seed; 0 for
	// the set's own split, or DefaultSplit where it has none.
	Split float64
	// Scale is how numbers are scaled, a word of [Scales].
	Scale string
}

// DefaultSplit is the split by seed of a set without a split of its own.
const DefaultSplit = 0.2

// The scalings of numbers: to mean 0 and population standard deviation 1 of each input.
const (
	ScaleNone  = "none"
	ScaleTrain = "train" // of the rows that a run trains on
	ScaleAll   = "all"   // of all rows, those for testing too
)

// Scales returns the scalings.
func Scales() []string { return []string{ScaleNone, ScaleTrain, ScaleAll} }

// optionKeys are the keys of [Options].
var optionKeys = []string{"label", "test", "split", "scale"}

// options is where the options of a spec begin, behind a colon.
var options = regexp.MustCompile(`:[\pL_-]+=`)

// option matches one of them.
var option = regexp.MustCompile(`^[\pL_-]+\s*=`)

// parseSpec reads a spec. A name or a path comes before the options.
func parseSpec(spec string) (place string, o Options, err error) {
	place, list := spec, ""
	if at := options.FindStringIndex(spec); at != nil {
		place, list = spec[:at[0]], spec[at[0]+1:]
	}
	given := map[string]bool{}
	for option := range strings.SplitSeq(list, ",") {
		if option = strings.TrimSpace(option); option == "" {
			continue
		}
		key, value, ok := strings.Cut(option, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case !ok || value == "":
			return "", o, fmt.Errorf("dataset %s: %q is no key=value", spec, option)
		case given[key]:
			return "", o, fmt.Errorf("dataset %s: %s is given twice", spec, key)
		}
		given[key] = true
		switch key {
		case "label":
			o.Label = value
		case "test":
			o.Test = value
		case "split":
			o.Split, err = ParseSplit(value)
		case "scale":
			o.Scale = value
			if !slices.Contains(Scales(), value) {
				err = nearest.Unknown("scaling", value, Scales())
			}
		default:
			err = nearest.Unknown("key", key, optionKeys)
		}
		if err != nil {
			return "", o, fmt.Errorf("dataset %s: %w", spec, err)
		}
	}
	if o.Test != "" && o.Split != 0 {
		return "", o, fmt.Errorf("dataset %s: test= and split= are both given: the rows for testing are either in a file or chosen by the seed", spec)
	}
	return place, o, nil
}

// ParseSplit reads the part of the rows that is for testing.
func ParseSplit(text string) (float64, error) {
	share, err := strconv.ParseFloat(text, 64)
	if err != nil || !(share > 0 && share < 1) {
		return 0, fmt.Errorf("split %s: give the part of the rows that is for testing, above 0 and below 1, such as 0.2", text)
	}
	return share, nil
}

// or takes from defaults what the options leave open. A file with the rows for testing, which the
// options may name, is a split.
func (o Options) or(defaults Options) Options {
	if o.Test == "" {
		o.Split = cmp.Or(o.Split, defaults.Split)
	}
	o.Scale = cmp.Or(o.Scale, defaults.Scale)
	return o
}

// spec writes a spec with the options.
func (o Options) spec(place string) string {
	var list []string
	for _, option := range [][2]string{{"label", o.Label}, {"test", o.Test}, {"split", strconv.FormatFloat(o.Split, 'g', -1, 64)}, {"scale", o.Scale}} {
		if option[1] != "" && option[1] != "0" {
			list = append(list, option[0]+"="+option[1])
		}
	}
	if list == nil {
		return place
	}
	return place + ":" + strings.Join(list, ",")
}

// shortName makes the name of a set of the path of its file: what every file system takes.
func shortName(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	name := filepath.Base(path)
	for _, extension := range []string{".gz", ".csv", ".tsv", ".txt", ".npz", ".npy", ".parquet"} {
		if short := strings.TrimSuffix(name, extension); short != "" {
			name = short
		}
	}
	name = strings.Trim(strange.ReplaceAllString(name, "-"), "-.")
	return cmp.Or(name[:min(len(name), 40)], "data")
}

var strange = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
