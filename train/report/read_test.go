package report

import (
	"diaghess/train/record"
	"math"
	"path/filepath"
	"strings"
	"testing"
)

const metricsHeader = "dataset,seed,optimizer,val_loss,val_acc,f1,train_time\n"

func TestReadMetrics(t *testing.T) {
	want := []Row{
		{Dataset: "digits", Seed: 3, Optimizer: "adamw", ValLoss: 0.25, ValAcc: 0.9, F1: 0.875, TrainTime: 1.5e3, Status: record.Finished, Source: "m.csv:2"},
		{Dataset: "digits", Seed: -1, Optimizer: "a,\"b\"", ValLoss: 1, ValAcc: 0, F1: 0, TrainTime: 2, Status: record.Finished, Source: "m.csv:3"},
	}
	for name, content := range map[string]string{
		"plain": metricsHeader + "digits,3,adamw,0.25,0.9,0.875,1500\ndigits,-1,\"a,\"\"b\"\"\",1,0,0,2\n",
		"byte order mark, CRLF, spaces": "\uFEFF" + strings.ReplaceAll(
			"dataset, seed, optimizer, val_loss, val_acc, f1, train_time\ndigits, 3, adamw, 0.25, 0.9 , 0.875, 1.5e3\ndigits, -1, \"a,\"\"b\"\"\", 1, 0, 0, 2", "\n", "\r\n"),
		"other order of columns": "train_time,f1,val_acc,val_loss,optimizer,seed,dataset\n1500,0.875,0.9,0.25,adamw,3,digits\n2,0,0,1,\"a,\"\"b\"\"\",-1,digits\n",
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
			if file.Rows[i] != want[i] {
				t.Errorf("%s: row %d = %+v, want %+v", name, i, file.Rows[i], want[i])
			}
		}
	}
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
	test, err := readCSV("t.csv", strings.NewReader("dataset,metric,t_stat,p_value\ndigits,f1,-2,1e-25\n"))
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
		{"another file", "{\"loss\": 1}\n", `f.csv:1:2: bare " in non-quoted-field`},
		{"another table", "step,loss\n1,2\n", `f.csv:1: not a file of results: its first line is "step,loss"; a metrics file starts with "dataset,seed,optimizer,val_loss,val_acc,f1,train_time"`},
		{"missing columns", "dataset,seed,optimizer,val_loss,f1\n", `f.csv:1: this looks like a metrics file, but has no column "val_acc", "train_time"`},
		{"unknown column", "dataset,metric,t_stat,p_value,d\n", `f.csv:1: this looks like a t-test file, but has an unknown column "d"; known are dataset, metric, t_stat, p_value`},
		{"column twice", "dataset,optimizer,metric,mean,mean,std\n", `f.csv:1: a column stands twice in "dataset,optimizer,metric,mean,mean,std"`},
		{"too few fields", metricsHeader + row + "digits,1,adamw,0.5\n", "f.csv:3: 4 fields, but the header has 7 columns"},
		{"too many fields", metricsHeader + "digits,1,adamw,0.5,0.9,0.9,10,\n", "f.csv:2: 8 fields, but the header has 7 columns"},
		{"not a number", metricsHeader + "digits,0,adamw,0.5,high,0.9,10\n", `f.csv:2:20: column val_acc: "high" is not a number`},
		{"decimal comma", metricsHeader + "digits,0,adamw,\"0,5\",0.9,0.9,10\n", `f.csv:2:16: column val_loss: "0,5" is not a number`},
		{"out of range", metricsHeader + "digits,0,adamw,1e999,0.9,0.9,10\n", `f.csv:2:16: column val_loss: "1e999" is not a number`},
		{"NaN", metricsHeader + row + "digits,1,adamw,nan,0.1,0.1,10\n", "f.csv:3:16: column val_loss: nan is not a finite number (leave out runs that diverged)"},
		{"infinity", metricsHeader + "digits,1,adamw,0.5,0.1,0.1,Inf\n", "f.csv:2:28: column train_time: Inf is not a finite number (leave out runs that diverged)"},
		{"empty number", metricsHeader + "digits,1,adamw,,0.1,0.1,10\n", "f.csv:2:16: column val_loss: empty"},
		{"empty name", metricsHeader + "digits,1, ,0.5,0.1,0.1,10\n", "f.csv:2:11: column optimizer: empty"},
		{"seed", metricsHeader + "digits,1.0,adamw,0.5,0.1,0.1,10\n", `f.csv:2:8: column seed: "1.0" is not a whole number`},
		{"duplicate", metricsHeader + row + "digits,1,adamw,0.5,0.9,0.9,10\n" + row, `f.csv:4: data set "digits", seed 0, optimizer "adamw" stands in line 2 already`},
		{"open quote", metricsHeader + "digits,0,\"adamw,0.5,0.9,0.9,10\n", `f.csv:2:32: extraneous or missing " in quoted-field`},
		{"summary without mean", "dataset,optimizer,metric,mean,std\ndigits,adamw,f1,,0.1\n", "f.csv:2:17: column mean: empty"},
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
