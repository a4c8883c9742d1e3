package report

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"diaghess/train/report/plot"
	"diaghess/train/stats"
)

// exportFile says what is in an export, and that a folder is one's.
const (
	exportFile = "export.md"
	exportMark = "# Export by diaghess report\n"
)

// exportedEpoch is a row of epochs.csv and epochs.parquet. The fields from TrainLoss on are those of
// record.Epoch: they are also in curves.csv.
type exportedEpoch struct {
	Dataset                    string   `parquet:"dataset"`
	Optimizer                  string   `parquet:"optimizer"`
	Model                      string   `parquet:"model"`
	LabelSmoothing             float64  `parquet:"label_smoothing"`
	Spec                       string   `parquet:"spec"` // of the optimizer, in a tuning of several another for each
	Seed                       int      `parquet:"seed"`
	Status                     string   `parquet:"status"` // of the run
	Epoch                      int      `parquet:"epoch"`
	TrainLoss                  *float64 `parquet:"train_loss,optional"`
	TrainLossClean             *float64 `parquet:"train_loss_clean,optional"`
	TrainAcc                   *float64 `parquet:"train_acc,optional"`
	EvaluatedTrainLoss         *float64 `parquet:"evaluated_train_loss,optional"`
	EvaluatedTrainLossSmoothed *float64 `parquet:"evaluated_train_loss_smoothed,optional"`
	EvaluatedTrainAcc          *float64 `parquet:"evaluated_train_acc,optional"`
	EvaluatedTrainF1           *float64 `parquet:"evaluated_train_f1,optional"`
	ValLoss                    *float64 `parquet:"val_loss,optional"`
	ValLossSmoothed            *float64 `parquet:"val_loss_smoothed,optional"`
	ValAcc                     *float64 `parquet:"val_acc,optional"`
	F1                         *float64 `parquet:"f1,optional"`
	Seconds                    *float64 `parquet:"seconds,optional"`
}

// columns returns the names of the columns, and the row as cells of a CSV file.
func (e exportedEpoch) columns() (names, cells []string) {
	v := reflect.ValueOf(e)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("parquet"), ",")
		names = append(names, name)
		cell := fmt.Sprint(v.Field(i).Interface())
		if p, measure := v.Field(i).Interface().(*float64); measure {
			cell = ""
			if p != nil {
				cell = formatFloat(*p)
			}
		}
		cells = append(cells, cell)
	}
	return names, cells
}

// exportLabels is how many columns come before the measures of an epoch.
const exportLabels = 8

// measured returns the measures of an epoch, NaN for none.
func (e exportedEpoch) measured() (values []float64) {
	v := reflect.ValueOf(e)
	for i := exportLabels; i < v.NumField(); i++ {
		value := math.NaN()
		if p := v.Field(i).Interface().(*float64); p != nil {
			value = *p
		}
		values = append(values, value)
	}
	return values
}

// exported returns the epochs of a run; none of a row of a CSV file.
func exported(r Row) (epochs []exportedEpoch) {
	if r.run == nil {
		return nil
	}
	c := r.run.Config
	for _, e := range r.run.Epochs {
		x := exportedEpoch{
			Dataset: r.Dataset, Optimizer: r.Optimizer, Model: c.Model, LabelSmoothing: c.LabelSmoothing, Spec: c.Optimizer, Seed: r.Seed, Status: string(r.Status), Epoch: e.Epoch,
			TrainLoss: &e.TrainLoss, TrainLossClean: e.TrainLossClean, TrainAcc: &e.TrainAcc,
			ValLoss: &e.ValLoss, ValLossSmoothed: e.ValLossSmoothed, ValAcc: &e.ValAcc, F1: &e.F1, Seconds: &e.Seconds,
		}
		if t := e.EvaluatedTrain; t != nil {
			x.EvaluatedTrainLoss, x.EvaluatedTrainLossSmoothed, x.EvaluatedTrainAcc, x.EvaluatedTrainF1 = &t.Loss, t.LossSmoothed, &t.Acc, &t.F1
		}
		epochs = append(epochs, x)
	}
	return epochs
}

// network returns the settings of a row's network and its label smoothing, by name.
func network(r Row) map[string]string {
	if r.run == nil {
		return nil
	}
	model, options, _ := strings.Cut(r.run.Config.Model, ":")
	s := map[string]string{"model": model, smoothingName: fmt.Sprint(r.run.Config.LabelSmoothing)}
	for option := range strings.SplitSeq(options, ",") {
		if key, value, ok := strings.Cut(option, "="); ok {
			s[key] = value
		}
	}
	return s
}

const smoothingName = "label_smoothing"

// Varied returns the settings of the network, and its label smoothing, that are not the same in
// all rows: then these are of a grid, whose arms [Compare] cannot pair.
func Varied(rows []Row) (varied []string) {
	values := map[string]map[string]bool{}
	for _, r := range rows {
		for key, value := range network(r) {
			if values[key] == nil {
				values[key] = map[string]bool{}
			}
			values[key][value] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		lacks := func(r Row) bool { _, there := network(r)[key]; return !there && r.run != nil } // CSV files say nothing
		if len(values[key]) > 1 || slices.ContainsFunc(rows, lacks) {
			varied = append(varied, key)
		}
	}
	return varied
}

// settingOf returns a row's value of a varied setting.
func settingOf(r Row, setting string) string { return cmp.Or(network(r)[setting], "default") }

// exportGroup is an arm on a data set with one network and one label smoothing.
type exportGroup struct {
	rows     []Row
	finished []Row
}

// tableOfResults is what an export is made of.
type tableOfResults struct {
	rows    []Row
	groups  []*exportGroup // in order of first appearance
	varied  []string
	metrics []pilotMetric // with the training time
	loss    string        // what the training loss is; "" without one
}

// comparable says why a row does not belong in a grid with the first one of its data set. Cells
// are of networks and label smoothings alone, so that all else must agree.
func (t *tableOfResults) comparable(r Row) error {
	if len(t.varied) == 0 {
		return nil
	}
	if r.run == nil {
		return fmt.Errorf("%s: its network is not known, which makes a grid: name the study's folder", r.Source)
	}
	first := t.rows[slices.IndexFunc(t.rows, func(other Row) bool { return other.Dataset == r.Dataset })]
	if first.run == nil {
		return t.comparable(first)
	}
	a, b := first.run.Config.Settings, r.run.Config.Settings
	for _, s := range []struct {
		name string
		a, b any
	}{
		{"epochs", a.Epochs, b.Epochs}, {"batch", a.Batch, b.Batch}, {"protocol", a.Protocol, b.Protocol}, {"augment", a.Augment, b.Augment},
		{"limit", a.Limit, b.Limit}, {"endpoint", a.Endpoint, b.Endpoint}, {"average", a.Average, b.Average}, {"recalibrate", a.Recalibrate, b.Recalibrate},
	} {
		if s.a != s.b {
			return fmt.Errorf("%s has %s %v and %s has %v: a grid is of networks and label smoothings, with all else equal: export them apart", first.Source, s.name, s.a, r.Source, s.b)
		}
	}
	return nil
}

// newTable sorts rows into groups. Two rows of one run are an error.
func newTable(rows []Row) (*tableOfResults, error) {
	t := &tableOfResults{rows: rows, varied: Varied(rows)}
	groups, seen := map[string]*exportGroup{}, map[string]Row{}
	var finished []Row
	for _, r := range rows {
		if err := t.comparable(r); err != nil {
			return nil, err
		}
		key := fmt.Sprintf("%q %q", r.Dataset, r.Optimizer)
		for _, setting := range t.varied {
			key += fmt.Sprintf(" %q", settingOf(r, setting))
		}
		run := fmt.Sprint(key, " ", r.Seed)
		if other, twice := seen[run]; twice {
			return nil, fmt.Errorf("%s and %s are runs of the same data set, optimizer, network, label smoothing and seed: export them apart", other.Source, r.Source)
		}
		seen[run] = r
		g := groups[key]
		if g == nil {
			g = &exportGroup{}
			groups[key] = g
			t.groups = append(t.groups, g)
		}
		if g.rows = append(g.rows, r); r.unusable() == "" {
			g.finished, finished = append(g.finished, r), append(finished, r)
		}
	}
	t.metrics, t.loss = pilotMetrics(finished)
	t.metrics = append(t.metrics, pilotMetric{TrainTime.String(), TrainTime.Title(), stats.LowerIsBetter, TrainTime.Of})
	return t, nil
}

// summary returns mean and standard deviation of a metric over the finished runs, NaN for none.
func (g *exportGroup) summary(of func(Row) float64) (mean, sd float64) {
	var values []float64
	for _, r := range g.finished {
		values = append(values, of(r))
	}
	return meanSD(values)
}

func meanSD(values []float64) (mean, sd float64) {
	s, err := stats.Describe(values)
	if err != nil {
		return math.NaN(), math.NaN()
	}
	return s.Mean, s.SD
}

// records are those of results.csv.
func (t *tableOfResults) records() [][]string {
	header := append([]string{"dataset", "optimizer"}, t.varied...)
	header = append(header, "runs", "not_finished")
	for _, m := range t.metrics {
		header = append(header, m.name+"_mean", m.name+"_sd")
	}
	records := [][]string{header}
	for _, g := range t.groups {
		first := g.rows[0]
		record := []string{first.Dataset, first.Optimizer}
		for _, setting := range t.varied {
			record = append(record, settingOf(first, setting))
		}
		record = append(record, strconv.Itoa(len(g.finished)), strconv.Itoa(len(g.rows)-len(g.finished)))
		for _, m := range t.metrics {
			mean, sd := g.summary(m.of)
			record = append(record, formatFloat(mean), formatFloat(sd))
		}
		records = append(records, record)
	}
	return records
}

// curves are the records of curves.csv: of each group the epochs that all its finished runs have.
func (t *tableOfResults) curves() [][]string {
	names, _ := exportedEpoch{}.columns()
	header := []string{"dataset", "optimizer", "model", "label_smoothing", "epoch", "runs"}
	for _, name := range names[exportLabels:] {
		header = append(header, name+"_mean", name+"_sd")
	}
	records := [][]string{header}
	for _, g := range t.groups {
		var runs [][]exportedEpoch
		common := math.MaxInt
		for _, r := range g.finished {
			runs = append(runs, exported(r))
			common = min(common, len(runs[len(runs)-1]))
		}
		for i := 0; i < common && len(runs) > 0; i++ {
			_, labels := runs[0][i].columns()
			record := append(labels[:4:4], labels[exportLabels-1], strconv.Itoa(len(runs)))
			for measure := range names[exportLabels:] {
				var values []float64
				for _, epochs := range runs {
					values = append(values, epochs[i].measured()[measure])
				}
				mean, sd := meanSD(values)
				record = append(record, formatFloat(mean), formatFloat(sd))
			}
			records = append(records, record)
		}
	}
	return records
}

// epochs writes epochs.csv.
func (t *tableOfResults) epochs(w io.Writer) error {
	names, _ := exportedEpoch{}.columns()
	records := [][]string{names}
	for _, r := range t.rows {
		for _, e := range exported(r) {
			_, cells := e.columns()
			records = append(records, cells)
		}
	}
	return csv.NewWriter(w).WriteAll(records)
}

// parquet writes epochs.parquet.
func (t *tableOfResults) parquet(w io.Writer) error {
	out := parquet.NewGenericWriter[exportedEpoch](w, parquet.Compression(&parquet.Snappy))
	for _, r := range t.rows {
		if _, err := out.Write(exported(r)); err != nil {
			return err
		}
	}
	return out.Close()
}

// histories are the files of the runs that have epochs, each the history attribute of a History of
// Keras. The folders are those of a study, in one for each cell of a grid.
func (t *tableOfResults) histories() (files []output) {
	for _, r := range t.rows {
		epochs := exported(r)
		if len(epochs) == 0 {
			continue
		}
		parts := []string{"history"}
		for _, setting := range t.varied {
			parts = append(parts, fileName(setting, settingOf(r, setting)))
		}
		folder := filepath.Join(append(parts, r.run.Config.Job.Folder())...)
		files = append(files, output{folder + ".json", func(w io.Writer) error {
			history := map[string][]*float64{}
			for _, e := range epochs {
				for key, value := range map[string]*float64{
					"loss": e.TrainLoss, "accuracy": e.TrainAcc, "val_loss": e.ValLoss, "val_accuracy": e.ValAcc,
					"loss_clean": e.TrainLossClean, "val_loss_smoothed": e.ValLossSmoothed,
				} {
					if value != nil {
						history[key] = append(history[key], value)
					}
				}
			}
			return json.NewEncoder(w).Encode(history)
		}})
	}
	return files
}

// arm names a group within a data set, by its optimizer and the varied settings but those left out.
func (t *tableOfResults) arm(g *exportGroup, names map[string]string, without string) string {
	parts := []string{names[g.rows[0].Optimizer]}
	for _, setting := range t.varied {
		if setting != without {
			parts = append(parts, setting+" "+settingOf(g.rows[0], setting))
		}
	}
	return printable(strings.Join(parts, ", "))
}

// figures are bars over the data sets or, of a grid, a heat map of each data set, for each metric.
func (t *tableOfResults) figures() (figures []figure) {
	var datasets, optimizers []string
	for _, g := range t.groups {
		datasets, optimizers = appendNew(datasets, g.rows[0].Dataset), appendNew(optimizers, g.rows[0].Optimizer)
	}
	names := map[string]string{}
	for i, short := range shortNames(optimizers) {
		names[optimizers[i]] = short
	}
	for _, m := range t.metrics {
		if t.varied == nil {
			figures = append(figures, t.bars(m, datasets, optimizers, names))
			continue
		}
		for _, dataset := range datasets {
			figures = append(figures, t.heatMap(m, dataset, names))
		}
	}
	return figures
}

func (t *tableOfResults) bars(m pilotMetric, datasets, optimizers []string, names map[string]string) figure {
	var bars []plot.Bar
	for i, optimizer := range optimizers {
		b := plot.Bar{Name: printable(names[optimizer]), Arm: i}
		for _, dataset := range datasets {
			mean, sd := math.NaN(), math.NaN()
			for _, g := range t.groups {
				if g.rows[0].Dataset == dataset && g.rows[0].Optimizer == optimizer {
					mean, sd = g.summary(m.of)
				}
			}
			b.Values, b.Spread = append(b.Values, mean), append(b.Spread, sd)
		}
		bars = append(bars, b)
	}
	var shown []string
	for _, dataset := range datasets {
		shown = append(shown, printable(dataset))
	}
	return figure{fileName("bars", m.name), plot.Bars("mean "+m.title+", with standard deviations", m.title, shown, bars)}
}

// heatMap has the last varied setting as columns: the label smoothing, if that is one.
func (t *tableOfResults) heatMap(m pilotMetric, dataset string, names map[string]string) figure {
	across := t.varied[len(t.varied)-1]
	if slices.Contains(t.varied, smoothingName) {
		across = smoothingName
	}
	var rows, columns []string
	cells := map[[2]string]float64{}
	for _, g := range t.groups {
		if g.rows[0].Dataset == dataset {
			row, column := t.arm(g, names, across), settingOf(g.rows[0], across)
			rows, columns = appendNew(rows, row), appendNew(columns, column)
			cells[[2]string{row, column}], _ = g.summary(m.of)
		}
	}
	slices.SortFunc(columns, byNumber)
	slices.Sort(rows)
	values := make([][]float64, len(rows))
	for i, row := range rows {
		for _, column := range columns {
			value, there := cells[[2]string{row, column}]
			if !there {
				value = math.NaN()
			}
			values[i] = append(values[i], value)
		}
	}
	return figure{fileName("heatmap", dataset, m.name), plot.HeatMap(fmt.Sprintf("%s: mean %s", printable(dataset), m.title), printable(strings.ReplaceAll(across, "_", " ")), rows, columns, values)}
}

// byNumber compares texts as numbers where both are.
func byNumber(a, b string) int {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX != nil || errY != nil {
		return strings.Compare(a, b)
	}
	return cmp.Compare(x, y)
}

// note is the content of exportFile.
func (t *tableOfResults) note(w io.Writer) error {
	loss := "There is no training loss: the rows are of CSV files."
	if t.loss != "" {
		loss = "The training loss in results.csv is " + t.loss + "."
	}
	_, err := fmt.Fprintf(w, exportMark+`
- results.csv: a row for each data set and arm, with mean and sample standard deviation over the finished runs. The metrics are those of a report: of the test set where that was kept for the end.
- curves.csv: the same for each epoch. epochs.csv and epochs.parquet: each epoch of each run. There and in history, val_loss, val_acc and f1 are of the validation pictures, also where results.csv has those of the test set.
- history: of each run the history of Keras's History as JSON.
- figures: bars over the data sets or, where networks or label smoothing differ, heat maps.
- pilot-statistics.csv, where a report shows them: the statistics of the pilot's study of perceptrons.

%s
train_loss is the mean during an epoch, with dropout and the run's label smoothing, which train_loss_clean is without. val_loss has no smoothing, and val_loss_smoothed has. evaluated_train_* is of all training pictures after the epoch.
An empty cell is a number that does not exist. In JSON, loss and accuracy are train_loss and train_acc.
`, loss)
	return err
}

// Exportable returns an error for a folder with files that an export may replace, unless they
// are an export's.
func Exportable(dir string) error {
	start, err := os.ReadFile(filepath.Join(dir, exportFile))
	if err == nil && bytes.HasPrefix(start, []byte(exportMark)) {
		return nil
	}
	for _, name := range append(exportFolders(), exportFiles()...) {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("%s is there and is not of an export: choose another folder with --export", filepath.Join(dir, name))
		}
	}
	return nil
}

// leftOver returns the files that an earlier export left in a folder, and another one would leave among
// its own. A file of anything else there is an error.
func leftOver(dir string, files []output) (left []string, err error) {
	start, err := os.ReadFile(filepath.Join(dir, exportFile))
	export := err == nil && bytes.HasPrefix(start, []byte(exportMark))
	ours := map[string]bool{}
	for _, f := range files {
		ours[filepath.Join(dir, f.name)] = true
	}
	for _, folder := range exportFolders() {
		err := filepath.WalkDir(filepath.Join(dir, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || ours[path] {
				return err
			}
			if !export || !entry.Type().IsRegular() || !exportName.MatchString(entry.Name()) {
				return fmt.Errorf("%s is not of an export, and would be taken for a part of this one: choose another folder with --export, or delete that", path)
			}
			left = append(left, path)
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return left, nil
}

// exportName matches the names of an export's files in its folders.
var exportName = regexp.MustCompile(`^(seed-[0-9]+\.json|(bars|heatmap)-.*\.png)$`)

// exportFolders are the folders in an export.
func exportFolders() []string { return []string{"history", figuresFolder} }

// exportFiles are the files beside them.
func exportFiles() []string {
	return []string{exportFile, "results.csv", "curves.csv", "epochs.csv", "epochs.parquet", "pilot-statistics.csv"}
}

// Export writes rows for other programs into a folder, which it makes where it is not there, and
// returns the paths of the files; export.md among them says what they are. The analysis is that of the
// rows, or nil for a grid. What an earlier export has there beside these is removed. When the context ends, Export returns its cause, and leaves whole files alone.
func Export(ctx context.Context, dir string, rows []Row, a *Analysis) ([]string, error) {
	t, err := newTable(rows)
	if err != nil {
		return nil, err
	}
	file := func(name string, records func() [][]string) output {
		return output{name, func(w io.Writer) error { return csv.NewWriter(w).WriteAll(records()) }}
	}
	files := []output{{exportFile, t.note}, file("results.csv", t.records)}
	if histories := t.histories(); len(histories) > 0 {
		files = append(files, file("curves.csv", t.curves), output{"epochs.csv", t.epochs}, output{"epochs.parquet", t.parquet})
		files = append(files, histories...)
	}
	if a != nil && a.hasPilot() {
		files = append(files, file("pilot-statistics.csv", a.pilotRecords))
	}
	for _, f := range t.figures() {
		files = append(files, output{filepath.Join(figuresFolder, f.name+".png"), f.PNG})
	}
	left, err := leftOver(dir, files)
	if err != nil {
		return nil, err
	}
	paths, err := writeFiles(ctx, dir, files)
	for _, path := range left {
		if err == nil {
			err = os.Remove(path)
		}
	}
	return paths, err
}

// RenderGrid prints mean and standard deviation of each cell of a grid, as text or Markdown.
func RenderGrid(w io.Writer, rows []Row, f Format) error {
	t, err := newTable(rows)
	if err != nil {
		return err
	}
	d := textDialect()
	if f == Markdown {
		d = markdownDialect()
	} else if f != Text {
		return fmt.Errorf("runs of several networks are printed as text or markdown, not as %s: results.csv of the export has them", f)
	}
	records := t.records()
	labels := 3 + len(t.varied)
	printed := table{header: append(slices.Clone(records[0][:labels]), "not finished")}
	for _, m := range t.metrics {
		printed.header = append(printed.header, m.title)
	}
	for i, g := range t.groups {
		row := slices.Clone(records[i+1][:labels+1])
		for _, m := range t.metrics {
			mean, sd := g.summary(m.of)
			row = append(row, strings.ReplaceAll(fmt.Sprintf("%.4f ± %.4f", mean, sd), "NaN", missingNumber))
		}
		printed.rows = append(printed.rows, row)
	}
	_, err = fmt.Fprintln(w, d.layOut(d.fill(printed)))
	return err
}
