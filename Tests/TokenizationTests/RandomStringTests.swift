import Foundation
import Tensors
import Testing

@testable import Tokenization

@Suite struct RandomStringTests {
  /// Thousands of strings; what the reference made of them is in Fixtures/.
  @Test(arguments: Fixture.allCases)
  func idsAndTextAreThoseOfTheReference(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer()
    let strings = try Fixture.randomStrings()
    let expectations = try fixture.randomExpectations()
    #expect(strings.count == 2500)
    try #require(strings.count == expectations.count)
    for (string, (ids, decoded)) in zip(strings, expectations) {
      #expect(tokenizer.encode(string) == ids, "\(string.debugDescription)")
      expectSameBytes(tokenizer.decode(ids), decoded ?? string, string)
    }
  }

  /// The same against the installed reference, with new strings in every run.
  @Test(
    .enabled(if: LiveWitness.isInstalled, "needs the Python package tokenizers in .venv, which 'make test' makes"),
    arguments: Fixture.allCases)
  func idsAndTextAreThoseOfTheInstalledReference(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer()
    let known = try Fixture.randomStrings()
    // Halves of known strings, put together in new ways.
    let strings = (0..<2000).map { _ in
      let (left, right) = (known.randomElement()!.unicodeScalars, known.randomElement()!.unicodeScalars)
      return String(left.prefix(left.count / 2)) + String(right.suffix(right.count / 2))
    }
    let answers = try LiveWitness.answers(tokenizer: fixture.path, strings: strings)
    try #require(answers.count == strings.count)
    for (string, (ids, decoded)) in zip(strings, answers) {
      #expect(tokenizer.encode(string) == ids, "\(string.debugDescription)")
      expectSameBytes(tokenizer.decode(ids), decoded, string)
    }
  }
}
