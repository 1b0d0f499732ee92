import Foundation
import Tensors
import Testing

@Suite struct ErrataErrorTests {
  /// Scripts test these codes: they do not change.
  @Test func kindsAreExitCodes() {
    let codes: [(ErrataError.Kind, Int32)] = [
      (.general, 1), (.usage, 2), (.baseMismatch, 3), (.conflict, 4), (.verification, 5), (.damagedInput, 6),
    ]
    for (kind, code) in codes { #expect(kind.rawValue == code) }
    #expect(
      ErrataError.Kind.allCases.map(\.name)
        == ["general", "usage", "base_mismatch", "conflict", "verification", "damaged_input", "unmet"])
  }

  /// The line is composed of the parts that there are.
  @Test func saysWhatAndWhereAndWhatToDo() {
    #expect(ErrataError(.general, "nothing is there").message == "nothing is there")
    #expect(ErrataError(.general, "f", "is empty").message == "f: is empty")
    #expect(ErrataError(.general, "", "is empty").message == "'': is empty")
    #expect(ErrataError(.general, "f", at: "w", "is empty", remedy: "go on").message == "f: w: is empty; go on")
    let all = ErrataError(
      .conflict, ["f", "g"], at: ["a", "b"], "differ", cause: "no luck", outcome: "nothing was written",
      remedy: "try again")
    #expect(all.message == "f and g: a: b: differ: no luck; nothing was written; try again")
    #expect(
      ErrataError(.usage, "no file", remedy: .help("errata show")).message == "no file (see the help of 'errata show')")
    #expect(all.message(wording: { "[\($0)]" }).hasSuffix("; [try again]"))
  }

  /// Whoever knows more of an error changes its parts, never its words.
  @Test func isSeenFromFurtherAway() {
    let inner = ErrataError(.general, "w[0, 1]", "overflows", remedy: "give up")
    let outer = inner.within(["p", "q"], on: "c")
    #expect(outer.message == "p and q on c: w[0, 1]: overflows; give up")
    #expect(outer.subjects == ["p", "q"] && outer.context == "c" && outer.place == ["w[0, 1]"])
    #expect(inner.within(["f"], at: ["record 3"]).message == "f: record 3: w[0, 1]: overflows; give up")
    #expect(outer.renamingSubjects { $0 + "'" }.message == "p' and q' on c: w[0, 1]: overflows; give up")
    #expect(outer.with(outcome: "all is lost").message == "p and q on c: w[0, 1]: overflows; all is lost")
    #expect(outer.with(outcome: "all is lost").remedy == nil)
  }

  @Test func sameErrorsSayTheSame() {
    #expect(ErrataError(.general, "f", "is empty") == ErrataError(.general, "f: is empty"))
    #expect(ErrataError(.general, "f", "is empty") != ErrataError(.usage, "f", "is empty"))
    #expect(ErrataError(.general, "f", "is empty") != ErrataError(.general, "f", "is empty", remedy: "fill it"))
  }

  @Test func describesItself() {
    #expect("\(ErrataError(.conflict, "x: y"))" == "x: y")
    #expect(systemErrorText(EACCES) == "permission denied")
    #expect(systemErrorText(ENOENT) == "no such file or directory")
  }
}
