import Foundation
import Tensors
import Testing

@Suite struct ErrataErrorTests {
  /// Scripts test these codes: they do not change.
  @Test func categoriesAreExitCodes() {
    let codes: [(ErrataError.Category, Int32)] = [
      (.general, 1), (.usage, 2), (.baseMismatch, 3), (.conflict, 4), (.verification, 5), (.damagedInput, 6),
    ]
    for (category, code) in codes { #expect(category.rawValue == code) }
  }

  @Test func describesItself() {
    #expect("\(ErrataError(.conflict, "x: y"))" == "x: y")
    #expect(systemErrorText(EACCES) == "permission denied")
    #expect(systemErrorText(ENOENT) == "no such file or directory")
  }
}
