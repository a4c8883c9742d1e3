package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"diaghess/train/record"
	"diaghess/train/stats"
)

// Claim is the verdict of a comparison on its rival, about the primary metric.
type Claim string

const (
	Better     Claim = "better"        // the family's test says so
	Worse      Claim = "worse"         // likewise
	NotShown   Claim = "not shown"     // no difference was shown, which is not to say that there is none
	Equivalent Claim = "within margin" // none was shown, and the whole interval is within the planned margin
	Undecided  Claim = "undecided"     // a later look may decide
	TooFew     Claim = "too few"       // there are too few units for a verdict
	Untestable Claim = "not testable"  // all differences are equal, and too few for a test that needs no spread
	NoRival    Claim = "no other arm"  // there is nothing to compare with
)

// claims returns the claims of the decisions.
func claims() map[stats.Decision]Claim {
	return map[stats.Decision]Claim{stats.NoVerdict: TooFew, stats.NotShown: NotShown, stats.Better: Better, stats.Worse: Worse}
}

// sign stands before a claim: a verdict has no colour of its own.
func (c Claim) sign() string {
	return map[Claim]string{Better: "▲ ", Worse: "▼ ", NotShown: "○ ", Equivalent: "= ", Undecided: "· ", TooFew: "· ", Untestable: "· "}[c]
}

// Claim returns the verdict of the comparison.
func (c Comparison) Claim() Claim {
	if c.Rival == "" {
		return NoRival
	}
	return c.Evidence.Claim
}

// metricTitle is what a metric is in this study: the pictures that it is of, and its name.
func (a *Analysis) metricTitle(m Metric) string {
	title := m.Title()
	if m == TrainTime {
		return title
	}
	of := make(map[string]bool)
	for _, r := range a.Rows {
		switch {
		case r.unusable() != "": // it was not measured
		case r.Measured == Measured{}:
			of[""] = true
		case r.Measured.Test || r.Measured.Protocol == record.ProtocolPilot:
			of["test "] = true
		default:
			of["validation "] = true
		}
	}
	if len(of) == 1 {
		for pictures := range of {
			title = pictures + title
		}
	}
	return title
}

// question is what the verdict answers.
func (a *Analysis) question() string {
	direction := "lower"
	if a.Primary.HigherIsBetter() {
		direction = "higher"
	}
	var sets []string
	for _, dataset := range a.Datasets {
		sets = append(sets, brief(printable(dataset)))
	}
	rivals := a.awaited()
	if rivals == nil {
		for _, optimizer := range a.Optimizers[1:] {
			rivals = append(rivals, a.name(optimizer))
		}
	}
	baseline, who := a.name(a.Optimizers[0]), fmt.Sprintf("any of %d rivals reach", len(rivals))
	switch len(rivals) {
	case 0:
		return fmt.Sprintf("What %s does %s reach on %s?", a.metricTitle(a.Primary), baseline, joinWords(sets))
	case 1:
		who = rivals[0] + " reach"
	}
	return fmt.Sprintf("Does %s a %s %s than %s on %s?", who, direction, a.metricTitle(a.Primary), baseline, joinWords(sets))
}

// Answer is the verdict in a sentence.
func (a *Analysis) Answer() string {
	all := a.contested()
	if a.awaited() != nil {
		return "Not yet: on no data set have runs of two optimizers ended."
	}
	if len(all) == 0 {
		return "There is no other optimizer to compare with."
	}
	byClaim := make(map[Claim][]Comparison)
	for _, c := range all {
		byClaim[c.Claim()] = append(byClaim[c.Claim()], c)
	}
	better, worse, open := byClaim[Better], byClaim[Worse], len(byClaim[NotShown])
	metric := a.metricTitle(a.Primary)
	var parts []string
	switch {
	case len(byClaim[Undecided]) == len(all) && a.Reached == 0:
		return fmt.Sprintf("Not yet: the first look is planned at %s.", plural(a.Looks[0].Units, a.unit()))
	case len(byClaim[Undecided]) == len(all):
		return fmt.Sprintf("Not yet: nothing is decided after look %d of %d, at %s.", a.Reached, len(a.Looks), plural(a.Looks[a.Reached-1].Units, a.unit()))
	case len(byClaim[TooFew]) == len(all):
		return fmt.Sprintf("Too few %ss to say: a verdict needs %d that both arms finished. They finished %s.", a.unit(), stats.VerdictFrom, a.unitCounts(all...))
	case len(byClaim[Untestable]) == len(all):
		return fmt.Sprintf("Not testable: the difference is the same in every pair, %s, and a t-test needs differences that vary. %d %ss could be tested.", a.cells(all), stats.FlipsFrom, a.unit())
	case len(better) == len(all) && len(all) == 1:
		return fmt.Sprintf("Yes: %s is better than %s, by %s.", a.name(all[0].Rival), a.name(all[0].Baseline), a.size(all[0]))
	case len(better) == len(all):
		return fmt.Sprintf("Yes: %s.", a.are(better, "better than "+a.name(a.Optimizers[0])))
	case len(better) > 0:
		parts = append(parts, fmt.Sprintf("Yes, %d of %d: %s", len(better), len(all), a.cells(better)))
	case len(worse) == 1 && len(all) == 1:
		return fmt.Sprintf("No: %s is worse than %s, by %s.", a.name(all[0].Rival), a.name(all[0].Baseline), a.size(all[0]))
	case len(worse) == len(all):
		parts = append(parts, "No: "+a.are(worse, "worse than "+a.name(a.Optimizers[0])))
	case len(worse) > 0:
		parts = append(parts, "No advantage was shown: "+a.are(worse, "worse than "+a.name(a.Optimizers[0])))
	case open == len(all):
		return fmt.Sprintf("Not shown: %s found no difference in %s%s.", a.unitCounts(all...), metric, a.couldFind(", and would have found %s with a probability of 80 %%"))
	case len(byClaim[Equivalent]) == len(all):
		margin, _ := a.margin()
		return fmt.Sprintf("No difference that matters: %s.", a.are(all, "within the planned margin of "+a.planned(a.Primary, margin)))
	default:
		parts = append(parts, "No difference was shown")
		open = 0
	}
	if len(better) > 0 && len(worse) > 0 {
		parts = append(parts, a.are(worse, "worse"))
	}
	for _, rest := range []struct {
		n     int
		words string
	}{
		{len(byClaim[Equivalent]), "the difference is within the planned margin"},
		{open, "no difference was shown"},
		{len(byClaim[Undecided]), "a later look may decide"},
		{len(byClaim[Untestable]), "all differences are equal, which the t-test cannot judge"},
		{len(byClaim[TooFew]), fmt.Sprintf("there are fewer than %d %ss, too few to say", stats.VerdictFrom, a.unit())},
	} {
		if rest.n > 0 {
			parts = append(parts, fmt.Sprintf("in %s %s", plural(rest.n, "other comparison"), rest.words))
		}
	}
	return strings.Join(parts, "; ") + "."
}

// awaited returns the planned rivals of a study that has nothing to compare yet.
func (a *Analysis) awaited() (rivals []string) {
	if plan := a.Records.Plan; plan != nil && len(a.contested()) == 0 {
		for _, optimizer := range plan.Optimizers {
			if optimizer != a.Optimizers[0] {
				rivals = append(rivals, a.name(optimizer))
			}
		}
	}
	return rivals
}

// oneRival says whether the study has one rival, which sentences need not name again.
func (a *Analysis) oneRival() bool { return len(a.Optimizers) == 2 && len(a.Datasets) > 1 }

// are says what comparisons of a family are: "sgd (−1.6 points) is worse".
func (a *Analysis) are(list []Comparison, what string) string {
	switch {
	case a.oneRival():
		return fmt.Sprintf("%s is %s %s", a.name(a.Optimizers[1]), what, a.cells(list))
	case len(list) == 1:
		return a.cells(list) + " is " + what
	}
	return a.cells(list) + " are " + what
}

// mostNamed is how many cells a sentence names; more are counted.
const mostNamed = 4

// cells names comparisons of a family with their differences.
func (a *Analysis) cells(list []Comparison) string {
	var names []string
	for i, c := range list {
		if i == mostNamed && len(list) > mostNamed+1 {
			names = append(names, fmt.Sprintf("%d more", len(list)-i))
			break
		}
		var name []string
		if !a.oneRival() {
			name = append(name, brief(a.name(c.Rival)))
		}
		if len(a.Datasets) > 1 {
			name = append(name, "on", brief(printable(c.Dataset)))
		}
		names = append(names, fmt.Sprintf("%s (%s)", strings.Join(name, " "), a.difference(a.Primary, c.Evidence.MeanDifference)))
	}
	return joinWords(names)
}

// size is the difference of a comparison without its sign, and its interval.
func (a *Analysis) size(c Comparison) string {
	e := c.Evidence
	return fmt.Sprintf("%s (%s)", a.amount(a.Primary, math.Abs(e.MeanDifference)), a.interval(a.Primary, Outcome[stats.Interval]{e.Interval, e.Err}))
}

// couldFind puts the differences that comparisons with a verdict could find into a format, and is
// empty without one.
func (a *Analysis) couldFind(format string) string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, c := range a.contested() {
		if found := c.Evidence.Detectable; found.Err == nil && len(c.units()) >= stats.VerdictFrom {
			low, high = min(low, found.Result), max(high, found.Result)
		}
	}
	decimals := a.digits[a.Primary]
	switch first, last := decimal(a.Primary.scaled(low), decimals), decimal(a.Primary.scaled(high), decimals); {
	case high < low:
		return ""
	case first == last:
		return fmt.Sprintf(format, "a true difference of "+last+a.Primary.unitWord())
	default:
		return fmt.Sprintf(format, "true differences of "+first+" to "+last+a.Primary.unitWord())
	}
}

// standing says whether the study was planned, or why it was not.
func (a *Analysis) standing() (planned bool, words string) {
	plan := a.Records.Plan
	switch {
	case plan == nil && len(a.Records.Runs) == 0:
		return false, "exploratory: files without a plan"
	case plan == nil && len(a.Records.Folders) > 1:
		return false, "exploratory: several studies together, and a plan is of one"
	case plan == nil:
		return false, "exploratory: no plan"
	}
	list := deviations(plan, a)
	switch {
	case list == nil:
		return true, "planned" + a.Records.planned()
	case slices.ContainsFunc(list, func(deviation string) bool { return !strings.HasSuffix(deviation, notThere) }):
		return false, "exploratory: the plan was not followed"
	}
	return false, "exploratory: the plan was not followed to its end"
}

// planned says when the plan was made, and its digest or, from before there were ledgers, who says
// so.
func (r Records) planned() string {
	switch {
	case r.Planned != nil:
		return fmt.Sprintf(" on %s, digest %s", r.Planned.Time.UTC().Format("2 January 2006"), planDigest(r.Planned))
	case r.Plan.Written != nil:
		return fmt.Sprintf(" on %s by its own date", r.Plan.Written.UTC().Format("2 January 2006"))
	}
	return ""
}

// made says when the plan was made, as far as that is recorded.
func (r Records) made() string {
	switch {
	case len(r.Ledger) > 0:
	case r.Planned != nil:
		return ", made before its first run" + r.planned()
	case r.Plan.Written != nil:
		return ", written" + r.planned() + "; there is no ledger"
	}
	return "; when it was made is not known"
}

// objection is the strongest thing to be said against the answer: an earlier study, then failed
// runs, then the cautions in their order.
func (a *Analysis) objection() string {
	for _, e := range a.Earlier {
		if !slices.ContainsFunc(e.contested(), func(c Comparison) bool { return c.Claim() == Better }) {
			var sets []string
			for _, c := range e.contested() {
				sets = append(sets, fmt.Sprintf("%s on %s", e.difference(e.Primary, c.Evidence.MeanDifference), printable(c.Dataset)))
			}
			return fmt.Sprintf("But an earlier study, %s, showed no advantage: %s.", e.Title, joinWords(sets))
		}
	}
	cautions := a.Cautions()
	planned, _ := a.standing()
	switch {
	case len(cautions) == 1:
		return "Caution: " + cautions[0]
	case len(cautions) > 1:
		return fmt.Sprintf("Caution: %s See %s below.", cautions[0], plural(len(cautions)-1, "more caution"))
	case !planned:
		return lead
	}
	return "No check speaks against it."
}

// lead is what the verdicts of a study without a plan are.
const lead = "Read it as a lead for a planned study."

// fact is a line of what the verdict rests on.
type fact struct{ Title, Text string }

// facts says what the verdict rests on.
func (a *Analysis) facts() []fact {
	all := a.contested()
	if len(all) == 0 {
		return nil
	}
	failed := 0
	for _, r := range a.Rows {
		if r.unusable() != "" {
			failed++
		}
	}
	failures := fmt.Sprintf("%d of %d.", failed, len(a.Rows))
	if n := smallest(all); n > 0 && failed == 0 {
		run := "run"
		if a.tuned() {
			run = "tuning"
		}
		failures += fmt.Sprintf(" An arm with no failure in %s may still have a failure rate of up to %.0f %%.", plural(n, run), 100*stats.UnseenFailureRate(n, confidence))
	}
	units := a.unitCounts(all...) + "."
	if a.tuned() {
		units += " The result of a tuning is the mean over its seeds, in pairs."
	}
	switch len(a.Records.Runs) {
	case 0:
		failures = "Not known: CSV files list finished runs only."
	case len(a.Rows):
		units += " The arms of a seed share starting weights and random numbers, such as the order of the pictures."
	default:
		failures = fmt.Sprintf("%d of %d. Of the others it is not known: CSV files list finished runs only.", failed, len(a.Records.Runs))
	}
	tuning := "How the settings were chosen is not recorded here."
	switch {
	case a.tuned():
		tuning = "Several tunings of each arm: what depends on their luck is in the intervals."
	case a.Records.Tuning != nil:
		tuning = "One tuning for each arm: its luck is in no interval."
	}
	planned, plan := a.standing()
	plan = sentence(plan) + "."
	if !planned && a.objection() != lead {
		plan += " " + lead
	}
	facts := []fact{{"Units", units}, {"Failed runs", failures}}
	if rows := a.dataFact(); rows != "" {
		facts = append(facts, fact{"Data", rows})
	}
	if a.Method != stats.IntervalsOnly {
		test := a.methodNote()
		if a.Cells > 1 {
			test += fmt.Sprintf(" One family of %d comparisons.", a.Cells)
		}
		if a.Sampled > 0 {
			test += fmt.Sprintf(" %d random sign patterns.", a.Sampled)
		}
		found := "Not known: the differences have no spread."
		if words := a.couldFind("%s, with a probability of at least 80 %%, if differences are nearly normal; that counts with the upper limit of their spread."); words != "" {
			found = sentence(words)
		}
		facts = append(facts, fact{"Test", test}, fact{"What it could have found", found})
	}
	if len(a.Looks) > 0 {
		facts = append(facts, fact{"Looks", a.looksFact()})
	}
	return append(facts, fact{"Tuning", tuning}, fact{"Plan", plan})
}

// dataFact says how the rows of datasets were split and scaled, of those whose name alone does not
// say it.
func (a *Analysis) dataFact() string {
	var list []string
	for _, row := range a.Rows {
		if row.run == nil || row.run.Config.Data == nil {
			continue
		}
		d := row.run.Config.Data
		text := fmt.Sprintf("%s: rows for testing %s", printable(row.Dataset), printable(d.Split))
		if d.Scale != "" {
			text += "; scaling " + printable(d.Scale)
		}
		list = append(list, text+".")
	}
	return strings.Join(distinct(list), " ")
}

// sentence begins with a capital letter.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// smallest is the smallest number of units of comparisons.
func smallest(list []Comparison) int {
	n := math.MaxInt
	for _, c := range list {
		n = min(n, len(c.units()))
	}
	return n
}

// ranked is an arm on a data set.
type ranked struct {
	optimizer string
	mean      float64 // of the primary metric over its finished runs, NaN without any
	finished  int
	runs      int
	recorded  bool        // whether they are known to be all: they are from a study's folder
	versus    *Comparison // nil for the baseline
}

// ranking returns the arms of a data set, the best mean first.
func (a *Analysis) ranking(dataset string) []ranked {
	var list []ranked
	for _, optimizer := range a.armsOf(dataset) {
		r := ranked{optimizer: optimizer, mean: math.NaN(), recorded: true}
		if s, err := a.summary(dataset, optimizer, a.Primary); err == nil {
			r.mean, r.finished = s.Mean, s.N
		}
		for _, row := range a.Rows {
			if row.Dataset == dataset && row.Optimizer == optimizer {
				r.runs++
				r.recorded = r.recorded && row.run != nil
			}
		}
		for i := range a.Comparisons {
			if c := &a.Comparisons[i]; c.Dataset == dataset && c.Rival == optimizer {
				r.versus = c
			}
		}
		list = append(list, r)
	}
	slices.SortStableFunc(list, func(x, y ranked) int {
		switch {
		case math.IsNaN(x.mean) || math.IsNaN(y.mean):
			return boolToInt(math.IsNaN(x.mean)) - boolToInt(math.IsNaN(y.mean))
		case x.mean == y.mean:
			return 0
		case (x.mean > y.mean) == a.Primary.HigherIsBetter():
			return -1
		}
		return 1
	})
	return list
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Headlines is the answer, one line for each comparison.
func (a *Analysis) Headlines() []string {
	var lines []string
	for _, c := range a.compared() {
		e := c.Evidence
		lines = append(lines, fmt.Sprintf("%s, %s, %s: %s%s in %s (%s, %s)", printable(c.Dataset), a.arms(c), a.unitCounts(c),
			c.Claim().sign(), c.Claim(), a.metricTitle(a.Primary), a.difference(a.Primary, e.MeanDifference), pIs(e.P)))
	}
	return lines
}
