package verifier

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// What the configuration has in it, by the manifest: whose enclave it is, who may change it, what runs there.

func (v *verification) checkContents() {
	v.checkManifest()
	v.checkInstance()
	v.checkGeneration()
	v.checkHistory()
	v.checkAdministrators()
	v.checkLineage()
	v.checkHandOver()
	if v.manifest != nil {
		v.checkRule()
		v.checkLimits()
		v.checkEgressCA()
		v.checkOnlyApps()
	}
	for i := range v.policy.apps {
		v.checkApp(i, &v.policy.apps[i])
	}
	if len(v.policy.apps) == 0 {
		for _, c := range checks {
			if ofApps(c.name) {
				v.skip(c.name, "the caller expects none")
			}
		}
	}
}

func (v *verification) checkManifest() {
	if v.evidence.Manifest == nil {
		if v.policy.NeedsManifest() {
			v.fail("manifest", "none was given, and the caller's expectations need it")
		} else {
			v.skip("manifest", "none was given")
		}
		return
	}
	m, err := readManifest(v.evidence.Manifest)
	switch {
	case err != nil:
		v.fail("manifest", "malformed: %v", err)
	case v.MerkleRoot == nil:
		v.fail("manifest", "there is no configuration root to prove it by")
	case !bytes.Equal(m.root[:], v.MerkleRoot):
		v.fail("manifest", "its leaves make the root %x, not the certificate's %x", m.root, v.MerkleRoot)
	case !m.agrees():
		v.fail("manifest", "its instance, generation or root is not that of its leaves")
	case !v.bound():
		v.fail("manifest", "its leaves make the configuration root, but that is %s", unbound)
	default:
		v.pass("manifest", "its %d leaves make the configuration root", len(m.labels))
		v.manifest = m
	}
}

func (v *verification) checkInstance() {
	t, expected := v.lookTwice(oidInstance, "instance", 32), v.policy.instance
	v.Instance = t.value
	switch {
	case t.differs:
		v.fail("instance", "the certificate names another one than the manifest, %x", t.value)
	case expected == nil && t.value == nil:
		v.skip("instance", "not known (and not pinned by the caller)")
	case expected == nil:
		v.skip("instance", "%x (not pinned by the caller)", t.value)
	case t.value == nil:
		v.fail("instance", "neither certificate nor manifest names it, expected %x", expected)
	case !bytes.Equal(t.value, expected):
		v.fail("instance", "%x, expected %x", t.value, expected)
	default:
		v.pass("instance", "%x", t.value)
	}
}

func (v *verification) checkGeneration() {
	t, least := v.lookTwice(oidGeneration, "generation", 8), v.policy.minGeneration
	if v.HasGeneration = t.value != nil; v.HasGeneration {
		v.Generation = bigEndian(t.value)
	}
	switch {
	case t.differs:
		v.fail("generation", "the certificate has another number than the manifest, %d", v.Generation)
	case least == 0 && t.value == nil:
		v.skip("generation", "not known (and the caller has no minimum)")
	case least == 0:
		v.skip("generation", "%d (the caller has no minimum)", v.Generation)
	case t.value == nil:
		v.fail("generation", "neither certificate nor manifest tells it; at least %d is expected", least)
	case v.Generation < least:
		v.fail("generation", "%d, at least %d is expected", v.Generation, least)
	default:
		v.pass("generation", "%d, at least %d is expected", v.Generation, least)
	}
}

// listAdministrators reads them from the manifest; the first that is malformed, or not as expected, is a problem.
func (v *verification) listAdministrators() (count int, problem string) {
	for _, label := range v.manifest.labels {
		if !strings.HasPrefix(label, "admin:") {
			continue
		}
		count++
		a, ok := v.manifest.administratorOf(label)
		if !ok {
			return count, fmt.Sprintf("the leaf %s is malformed", label)
		}
		if e := v.policy.administrators; e != nil && !slices.Contains(e.list, a) {
			return count, fmt.Sprintf("%s is one, as %s, which the caller does not expect", a.key, a.role)
		}
	}
	return count, ""
}

func (v *verification) checkAdministrators() {
	if v.manifest == nil {
		return
	}
	threshold, ok := v.manifest.threshold()
	if !ok {
		v.fail("administrators", "the manifest does not say how many of them a change takes")
		return
	}
	count, problem := v.listAdministrators()
	switch e := v.policy.administrators; {
	case problem != "":
		v.fail("administrators", "%s", problem)
	case e == nil:
		v.skip("administrators", "%d of them, of whom %d are needed (not pinned by the caller)", count, threshold)
	case count != len(e.list):
		v.fail("administrators", "%d of them, expected %d", count, len(e.list))
	case threshold != e.threshold:
		v.fail("administrators", "%d of them are needed for a change, expected %d", threshold, e.threshold)
	default:
		v.pass("administrators", "%d of them, of whom %d are needed", count, threshold)
		v.administratorsNameInstance = count > 0 // that nobody administers is true of anybody's who gives no key
	}
}

// ---- what it may become, and has been ---------------------------------------------------------------------------

// upgradeRule says which enclave may have the instance next.
type upgradeRule struct {
	kind         string // "none", "measurements", "signer"
	publishers   bool
	measurements []string // sorted
	mrsigner     string
	product, svn uint64
}

func (r *upgradeRule) equal(other *upgradeRule) bool {
	return r.kind == other.kind && r.publishers == other.publishers && slices.Equal(r.measurements, other.measurements) &&
		r.mrsigner == other.mrsigner && r.product == other.product && r.svn == other.svn
}

// readUpgradeRule: "none" alone, "measurements" with a list, "signer" with three members; and perhaps "publishers", but of
// none.
func readUpgradeRule(v *value) (*upgradeRule, bool) {
	r, members := &upgradeRule{}, 1
	r.kind, _ = v.any("rule").text()
	if publishers := v.member("publishers", jsonBool); publishers != nil && r.kind != "none" {
		r.publishers = publishers.isTrue()
		members++
	}
	switch r.kind {
	case "none":
	case "measurements":
		list := v.member("measurements", jsonArray)
		members++
		if list == nil || len(list.items) > 16 {
			return nil, false
		}
		for _, item := range list.items {
			data, ok := item.bytes(32)
			if !ok || slices.Contains(r.measurements, hex.EncodeToString(data)) {
				return nil, false
			}
			r.measurements = append(r.measurements, hex.EncodeToString(data))
		}
		slices.Sort(r.measurements)
	case "signer":
		signer, okSigner := v.any("mrsigner").bytes(32)
		product, okProduct := v.any("product").number(0xffff)
		svn, okSVN := v.any("svn").number(0xffff)
		members += 3
		if !okSigner || !okProduct || !okSVN {
			return nil, false
		}
		r.mrsigner, r.product, r.svn = hex.EncodeToString(signer), product, svn
	default:
		return nil, false
	}
	return r, len(v.items) == members
}

func (v *verification) checkRule() {
	data, there := v.manifest.values["upgrade-rule"]
	told, expected := "not told", v.policy.upgradeRule
	var rule *upgradeRule
	if there {
		told = string(data[:min(len(data), 300)])
		if j, err := parseJSON(data); err == nil {
			rule, _ = readUpgradeRule(j)
		}
	}
	switch {
	case there && rule == nil:
		v.fail("upgrade rule", "the leaf upgrade-rule is malformed")
	case expected == nil:
		v.skip("upgrade rule", "%s (not pinned by the caller)", told)
	case rule == nil:
		v.fail("upgrade rule", "the manifest does not tell it")
	case !rule.equal(expected):
		v.fail("upgrade rule", "%s; the caller expects another, %s", told, expected.kind)
	default:
		v.pass("upgrade rule", "%s", told)
	}
}

// lineage is the measurements of the images that had the instance before, as the certificate has them; false: malformed.
func (c *certificate) lineage() (data []byte, ok bool) {
	data, count := c.extension(oidLineage)
	return data, count == 0 || (count == 1 && len(data) > 0 && len(data)%32 == 0)
}

func (v *verification) checkLineage() {
	p := v.policy
	list, ok := v.leaf.lineage()
	var unknown []byte
	for at := 0; ok && at < len(list) && unknown == nil; at += 32 {
		if one := list[at : at+32]; !contains(p.mrenclaves, one) && !contains(p.predecessors, one) {
			unknown = one
		}
	}
	switch {
	case !ok:
		v.fail("lineage", "what the certificate says of it is malformed")
	case !v.bound():
		v.skip("lineage", "extensions: %s", unbound)
	case v.manifest != nil && !bytes.Equal(v.manifest.values["lineage"], list):
		v.fail("lineage", "the certificate has another one than the manifest")
	case p.mrenclaves == nil && len(p.predecessors) == 0:
		v.skip("lineage", "%d images have had it before (not pinned by the caller)", len(list)/32)
	case unknown != nil:
		v.fail("lineage", "%x has had the instance before, which the caller does not expect", unknown)
	case len(list) == 0:
		v.pass("lineage", "no other image has had it before")
	default:
		v.pass("lineage", "%d have had it before, each of which the caller expects", len(list)/32)
	}
}

// ---- for all apps -----------------------------------------------------------------------------------------------

func (v *verification) checkLimits() {
	data, there := v.manifest.values["limits"]
	told := "none"
	if there {
		told = string(data[:min(len(data), 200)])
	}
	switch expected := v.policy.limits; {
	case expected == nil:
		v.skip("limits", "%s (not pinned by the caller)", told)
	case there && string(data) == *expected:
		v.pass("limits", "%s", told)
	default:
		v.fail("limits", "%s; expected %.200s", told, *expected)
	}
}

func (v *verification) checkEgressCA() {
	told := "none"
	if data := v.manifest.sized("egress-ca", 32); data != nil {
		told = hex.EncodeToString(data)
	}
	v.compare("egress ca", 0, told, v.policy.egressCA)
}

func (v *verification) checkOnlyApps() {
	count, others := 0, []string{}
	for _, label := range v.manifest.labels {
		name, ok := strings.CutPrefix(label, "app:")
		if !ok {
			continue
		}
		count++
		if !slices.ContainsFunc(v.policy.apps, func(a expectedApp) bool { return a.name == name }) {
			others = append(others, name)
		}
	}
	switch {
	case !v.policy.onlyApps:
		v.skip("only apps", "%d apps run there (the caller does not mind others than it names)", count)
	case len(others) > 0:
		v.fail("only apps", "%d that the caller does not name: %s", len(others), strings.Join(others, ", "))
	default:
		v.pass("only apps", "%d apps run there, and no others", count)
	}
}

// ---- of one app -------------------------------------------------------------------------------------------------

// of is compare for an app, whose name stands in front.
func (v *verification) of(a *expectedApp, check string, index int, is string, expected *string) {
	if expected != nil && is == *expected {
		is = a.name + ": " + is
		expected = &is
	} else {
		is = a.name + ": " + is
	}
	v.compare(check, index, is, expected)
}

func (v *verification) checkApp(index int, a *expectedApp) {
	if v.manifest == nil {
		return
	}
	code := v.manifest.sized("app:"+a.name, 32)
	if code == nil {
		v.set("app", index, Failed, "%s: no app of that name runs there", a.name)
		return
	}
	v.of(a, "app", index, hex.EncodeToString(code), a.sha256)
	rule, known := v.manifest.rule(a.name)
	v.checkPublisher(index, a, &rule)
	id := "not known"
	if known {
		id = hex.EncodeToString(rule.id)
	}
	v.of(a, "app identity", index, id, a.id)
	settings := "none"
	if data, there := v.manifest.values["settings:"+a.name]; there && len(data) == 32 {
		settings = hex.EncodeToString(data)
	} else if there {
		settings = "malformed"
	}
	v.of(a, "app settings", index, settings, a.settings)
	v.checkEgress(index, a)
}

func (v *verification) checkPublisher(index int, a *expectedApp, rule *appRule) {
	const check = "app publisher"
	kind := rule.kind
	if kind == "" {
		kind = "not known"
	}
	publisher, binds := hex.EncodeToString(rule.publisher), rule.publisher != nil && kind != "operator"
	switch {
	case a.publisher == nil && binds:
		v.set(check, index, NotChecked, "%s: %s, version %d (not pinned by the caller)", a.name, publisher, rule.version)
	case a.publisher == nil:
		v.set(check, index, NotChecked, "%s: none, its rule is %s (not pinned by the caller)", a.name, kind)
	case !binds:
		v.set(check, index, Failed, "%s: none, its rule is %s; expected %s", a.name, kind, *a.publisher)
	case publisher != *a.publisher:
		v.set(check, index, Failed, "%s: %s, expected %s", a.name, publisher, *a.publisher)
	case rule.version < a.minVersion:
		v.set(check, index, Failed, "%s: version %d, at least %d is expected", a.name, rule.version, a.minVersion)
	default:
		v.set(check, index, Passed, "%s: %s, version %d", a.name, publisher, rule.version)
	}
}

func (v *verification) checkEgress(index int, a *expectedApp) {
	data, there := v.manifest.values["egress:"+a.name]
	told := "nowhere"
	if len(data) > 0 {
		told = string(data[:min(len(data), 200)])
	}
	normal, ok := "", true
	if there {
		normal, ok = normalEgress(string(data))
	}
	switch {
	case a.egress == nil:
		v.set("app egress", index, NotChecked, "%s: %s (not pinned by the caller)", a.name, told)
	case !ok || normal != *a.egress:
		expected := *a.egress
		if expected == "" {
			expected = "nowhere"
		}
		v.set("app egress", index, Failed, "%s: %s; expected %.200s", a.name, told, expected)
	default:
		v.set("app egress", index, Passed, "%s: %s", a.name, told)
	}
}
