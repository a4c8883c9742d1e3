package report

import (
	"diaghess/train/record"
	"encoding/binary"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

const metricsHeader = "dataset,seed,optimizer,val_loss,val_acc,f1,train_time\n"

func TestReadMetrics(t *testing.T) {
	want := []Row{
		{Dataset: "digits", Seed: 3, Optimizer: "adamw", ValLoss: 0.25, ValAcc: 0.9, F1: 0.875, TrainTime: 1.5e3, Status: record.Finished, Source: "m.csv:2"},
		{Dataset: "digits", Seed: 1, Optimizer: "a,\"b\"", ValLoss: 1, ValAcc: 0, F1: 0, TrainTime: 2, Status: record.Finished, Source: "m.csv:3"},
	}
	const plain = metricsHeader + "digits,3,adamw,0.25,0.9,0.875,1500\ndigits,1,\"a,\"\"b\"\"\",1,0,0,2\n"
	for name, content := range map[string]string{
		"plain": plain,
		"byte order mark, CRLF, spaces": "\uFEFF" + strings.ReplaceAll(
			"dataset, seed, optimizer, val_loss, val_acc, f1, train_time\ndigits, 3, adamw, 0.25, 0.9 , 0.875, 1.5e3\ndigits, 1, \"a,\"\"b\"\"\", 1, 0, 0, 2", "\n", "\r\n"),
		"CR":                            strings.ReplaceAll(plain, "\n", "\r"),
		"line ends mixed":               strings.Replace(strings.Replace(plain, "\n", "\r", 1), "\n", "\r\n", 1),
		"empty lines and columns":       "\n" + strings.ReplaceAll(plain, "\n", ",,\n") + ",,,,,,,,\n \n\n",
		"commas at the end":             metricsHeader + "digits,3,adamw,0.25,0.9,0.875,1500,,\ndigits,1,\"a,\"\"b\"\"\",1,0,0,2\n",
		"an index":                      ",dataset,seed,optimizer,val_loss,val_acc,f1,train_time\n0,digits,3,adamw,0.25,0.9,0.875,1500\n1,digits,1,\"a,\"\"b\"\"\",1,0,0,2\n",
		"an index twice":                "Unnamed: 0,index,dataset,seed,optimizer,val_loss,val_acc,f1,train_time\n0,7,digits,3,adamw,0.25,0.9,0.875,1500\n1,9,digits,1,\"a,\"\"b\"\"\",1,0,0,2\n",
		"row names of R":                metricsHeader + "\"1\",digits,3,adamw,0.25,0.9,0.875,1500\n\"2\",digits,1,\"a,\"\"b\"\"\",1,0,0,2\n",
		"seeds with a point":            metricsHeader + "digits,3.0,adamw,0.25,0.9,0.875,1.5E+03\ndigits,1.0,\"a,\"\"b\"\"\",1,0,0,2\n",
		"thousands, shares":             metricsHeader + "digits,3,adamw,0.25,90 %,87.5%,\"1,500.0\"\ndigits,1,\"a,\"\"b\"\"\",1,0,0,2\n",
		"semicolons and decimal commas": "sep=;\n" + "Dataset;Seed;Optimizer;val_loss;val_acc;F1;train_time\ndigits;3,0;adamw;0,25;0,9;0,875;1.500,0\ndigits;1;\"a,\"\"b\"\"\";1,0;0;0;2\n",
		"thousands with a space":        strings.Replace(plain, "1500", "1\u00a0500", 1),
		"decimal commas in quotes":      metricsHeader + "digits,3,adamw,\"0,25\",\"0,9\",\"0,875\",1500\ndigits,1,\"a,\"\"b\"\"\",1,0,0,2\n",
		"tabs":                          "dataset\tseed\toptimizer\tval_loss\tval_acc\tf1\ttrain_time\ndigits\t3\tadamw\t0.25\t0.9\t0.875\t1500\ndigits\t1\t\"a,\"\"b\"\"\"\t1\t0\t0\t2\n",
		"UTF-16, big end first":         utf16Of(plain, true),
		"UTF-16, little end first":      utf16Of(plain, false),
		"two files in one":              metricsHeader + "digits,3,adamw,0.25,0.9,0.875,1500\n\uFEFF" + metricsHeader + "digits,1,\"a,\"\"b\"\"\",1,0,0,2\n",
		"other order of columns":        "train_time,f1,val_acc,val_loss,optimizer,seed,dataset\n1500,0.875,0.9,0.25,adamw,3,digits\n2,0,0,1,\"a,\"\"b\"\"\",1,digits\n",
	} {
		file, err := readCSV("m.csv", strings.NewReader(content))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(file.Rows) != len(want) || len(file.Statistics) != 0 {
			t.Errorf("%s: read %+v", name, file)
			continue
		}
		for i := range want {
			file.Rows[i].Source = want[i].Source // its own test is below
			if file.Rows[i] != want[i] {
				t.Errorf("%s: row %d = %+v, want %+v", name, i, file.Rows[i], want[i])
			}
		}
	}
}

// utf16Of is a text as spreadsheets save it as "Unicode".
func utf16Of(text string, bigEndFirst bool) string {
	var order binary.AppendByteOrder = binary.LittleEndian
	if bigEndFirst {
		order = binary.BigEndian
	}
	var content []byte
	for _, unit := range utf16.Encode([]rune("\uFEFF" + text)) {
		content = order.AppendUint16(content, unit)
	}
	return string(content)
}

// A row names its line, whatever ends the lines and whichever of them are empty.
func TestRowsNameTheirLines(t *testing.T) {
	for _, end := range []string{"\n", "\r", "\r\n"} {
		content := "sep=,\n" + metricsHeader + "\ndigits,3,adamw,0.25,0.9,0.875,1500\n,,,\ndigits,4,adamw,0.25,0.9,0.875,1500\n"
		file, err := readCSV("m.csv", strings.NewReader(strings.ReplaceAll(content, "\n", end)))
		if err != nil {
			t.Fatal(err)
		}
		if file.Rows[0].Source != "m.csv:4" || file.Rows[1].Source != "m.csv:6" {
			t.Errorf("%q: rows of %s and %s, want lines 4 and 6", end, file.Rows[0].Source, file.Rows[1].Source)
		}
	}
}

// What never ends is refused.
func TestReadWithoutEnd(t *testing.T) {
	if _, err := readCSV("zero", zeros{}); err == nil || !strings.Contains(err.Error(), "no text") {
		t.Errorf("zeros: %v", err)
	}
	if _, err := readText("long", strings.NewReader(strings.Repeat("dataset,", 2000)), 1<<13); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("a long line: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestReadStatistics(t *testing.T) {
	summary, err := readCSV("s.csv", strings.NewReader("dataset,optimizer,metric,mean,std\ndigits,adamw,f1,0.5,\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(summary.Statistics) != 2 || summary.Statistics[0] != (Statistic{2, "digits", "adamw", "f1", "mean", 0.5}) ||
		summary.Statistics[1].Name != "std" || !math.IsNaN(summary.Statistics[1].Value) {
		t.Errorf("summary of one run = %+v", summary.Statistics)
	}
	test, err := readCSV("t.csv", strings.NewReader("dataset,metric,t_stat,p_value\ndigits,f1,−2,1e-25\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(test.Statistics) != 2 || test.Statistics[0] != (Statistic{2, "digits", "", "f1", "t_stat", -2}) ||
		test.Statistics[1] != (Statistic{2, "digits", "", "f1", "p_value", 1e-25}) {
		t.Errorf("test = %+v", test.Statistics)
	}
}

func TestReadErrors(t *testing.T) {
	const row = "digits,0,adamw,0.5,0.9,0.9,10\n"
	for _, c := range []struct{ name, content, want string }{
		{"empty file", "", "f.csv: the file is empty"},
		{"no rows", metricsHeader, "f.csv: there is a header but no row"},
		{"another file", "{\"loss\": 1}\n", "f.csv:1:2: a quotation mark stands inside a field: write it twice, and the field in quotation marks, or leave it out"},
		{"another table", "step,loss\n1,2\n", `f.csv:1: not a file of results: its first line is "step,loss"; a metrics file starts with "dataset,seed,optimizer,val_loss,val_acc,f1,train_time"`},
		{"lines in quotes", "\"dataset,metric,t_stat,p_value\"\n\"digits,f1,1,0.5\"\n", "f.csv:1: the line is one field in quotes: take the quotes off the lines"},
		{"missing columns", "dataset,seed,optimizer,val_loss,f1\n", `f.csv:1: this looks like a metrics file, but has no column "val_acc", "train_time"`},
		{"unknown column", "dataset,metric,t_stat,p_value,d\n", `f.csv:1: this looks like a t-test file, but has an unknown column "d": delete it; known are dataset, metric, t_stat, p_value`},
		{"column twice", "dataset,optimizer,metric,mean,mean,std\n", `f.csv:1: a column stands twice in "dataset,optimizer,metric,mean,mean,std"`},
		{"too few fields", metricsHeader + row + "digits,1,adamw,0.5\n", "f.csv:3: 4 fields, but the header has 7 columns"},
		{"too many fields", metricsHeader + "digits,1,adamw,0.5,0.9,0.9,10,1\n", "f.csv:2: 8 fields, but the header has 7 columns; numbers with decimal commas need quotes, or semicolons between the fields"},
		{"not a number", metricsHeader + "digits,0,adamw,0.5,high,0.9,10\n", `f.csv:2:20: column val_acc: "high" is not a number`},
		{"decimal comma", metricsHeader + "digits,0,adamw,\"0,5\",0.9,0.9,10\n",
			`f.csv:2:22: column val_acc: "0.9" has another decimal mark than "0,5" at f.csv:2:16: column val_loss: write all numbers of a file with decimal points`},
		{"a comma that may be either", "dataset;optimizer;metric;mean;std\ndigits;adamw;train_time;1,234;\n",
			`f.csv:2:25: column mean: "1,234" may be a decimal fraction, or have its thousands separated: write numbers with decimal points and without separators`},
		{"half a group of thousands", metricsHeader + "digits,0,adamw,0.5,0.9,0.9,1 23\n", `f.csv:2:28: column train_time: "1 23" is not a number`},
		{"percent", metricsHeader + row + "digits,1,adamw,0.5,0.9,0.9,10\ndigits,1,sgd,0.5,87.5,0.9,10\n",
			"f.csv:4:18: column val_acc: 87.5 is not between 0 and 1: write percents as shares, here 0.875, in all rows"},
		{"percent of F1", metricsHeader + "digits,1,adamw,0.5,0.9,1.5,10\n", "f.csv:2:24: column f1: 1.5 is not between 0 and 1: write percents as shares, here 0.015, in all rows"},
		{"negative accuracy", metricsHeader + "digits,1,adamw,0.5,-0.1,0.9,10\n", "f.csv:2:20: column val_acc: -0.1 is not between 0 and 1: correct it, or leave the run out"},
		{"negative loss", metricsHeader + "digits,1,adamw,-0.5,0.9,0.9,10\n", "f.csv:2:16: column val_loss: -0.5 is below 0, and a loss is not: correct it, or leave the run out"},
		{"negative time", metricsHeader + "digits,1,adamw,0.5,0.9,0.9,-10\n", "f.csv:2:28: column train_time: -10 is below 0, and a training time is not: correct it, or leave the run out"},
		{"percent of a loss", metricsHeader + "digits,1,adamw,50%,0.9,0.9,10\n", `f.csv:2:16: column val_loss: "50%" is not a number`},
		{"words in a column without a name", "dataset,seed,optimizer,val_loss,val_acc,f1,train_time,\n" + "digits,1,adamw,0.5,0.9,0.9,10,fast\n",
			`f.csv:2:31: "fast" stands in a column without a name: name the column, or delete it`},
		{"Latin-1", metricsHeader + "digits,1,\xe9,0.5,0.9,0.9,10\n", "f.csv:2:10: byte 0XE9 is not UTF-8: save the file as UTF-8"},
		{"half of UTF-16", "\xff\xfed", "f.csv begins as UTF-16 does and is not: save it as UTF-8"},
		{"UTF-16 without a mark", "d\x00a\x00", "f.csv is no text: it has bytes that are 0; a CSV file from a spreadsheet is saved as UTF-8"},
		{"out of range", metricsHeader + "digits,0,adamw,1e999,0.9,0.9,10\n", "f.csv:2:16: column val_loss: 1e999 is too large: numbers up to 1e+100 can be compared (leave out runs that diverged)"},
		{"underscore", metricsHeader + "digits,0,adamw,1_0,0.9,0.9,10\n", `f.csv:2:16: column val_loss: "1_0" is not a number`},
		{"number of a program", metricsHeader + "digits,0,adamw,0x_1p4,0.9,0.9,10\n", `f.csv:2:16: column val_loss: "0x_1p4" is not a number`},
		{"seed of a program", metricsHeader + "digits,0x1p4,adamw,0.5,0.9,0.9,10\n", `f.csv:2:8: column seed: "0x1p4" is not a whole number`},
		{"negative seed", metricsHeader + "digits,-3,adamw,0.5,0.9,0.9,10\n", "f.csv:2:8: column seed: -3 is below 0, and a seed is not: correct it, or leave the run out"},
		{"quote inside", metricsHeader + "digits,0,ada\"mw,0.5,0.9,0.9,10\n", "f.csv:2:13: a quotation mark stands inside a field: write it twice, and the field in quotation marks, or leave it out"},
		{"too large", metricsHeader + "digits,0,adamw,-1e101,0.9,0.9,10\n", "f.csv:2:16: column val_loss: -1e101 is too large: numbers up to 1e+100 can be compared (leave out runs that diverged)"},
		{"NaN", metricsHeader + row + "digits,1,adamw,nan,0.1,0.1,10\n", "f.csv:3:16: column val_loss: nan is not a finite number (leave out runs that diverged)"},
		{"infinity", metricsHeader + "digits,1,adamw,0.5,0.1,0.1,Inf\n", "f.csv:2:28: column train_time: Inf is not a finite number (leave out runs that diverged)"},
		{"empty number", metricsHeader + "digits,1,adamw,,0.1,0.1,10\n", "f.csv:2:16: column val_loss: empty: give the number, or leave the run out"},
		{"empty name", metricsHeader + "digits,1, ,0.5,0.1,0.1,10\n", "f.csv:2:11: column optimizer: empty"},
		{"seed", metricsHeader + "digits,1.5,adamw,0.5,0.1,0.1,10\n", `f.csv:2:8: column seed: "1.5" is not a whole number`},
		{"duplicate", metricsHeader + row + "digits,1,adamw,0.5,0.9,0.9,10\n" + row, `f.csv:4: data set "digits", seed 0, optimizer "adamw" stands in line 2 already`},
		{"open quote", metricsHeader + "digits,0,\"adamw,0.5,0.9,0.9,10\n", "f.csv:2:32: a field begins with a quotation mark, and none ends it: add it, and write quotation marks inside a field twice"},
		{"summary without mean", "dataset,optimizer,metric,mean,std\ndigits,adamw,f1,,0.1\n", "f.csv:2:17: column mean: empty: give the number, or leave the run out"},
		{"test without metric", "dataset,metric,t_stat,p_value\ndigits,,1,0.5\n", "f.csv:2:8: column metric: empty"},
	} {
		file, err := readCSV("f.csv", strings.NewReader(c.content))
		if err == nil {
			t.Errorf("%s: no error, read %+v", c.name, file)
		} else if err.Error() != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, err, c.want)
		}
	}
}

func TestReadFileThatIsNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "absent.csv")
	if _, err := ReadCSVFile(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v does not name %s", err, path)
	}
}
