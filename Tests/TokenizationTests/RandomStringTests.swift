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
      #expect(try tokenizer.encode(string) == ids, "\(string.debugDescription)")
      expectSameBytes(tokenizer.decode(ids), decoded ?? string, string)
    }
  }

  /// The same against the installed reference, with new strings in every run.
  @Test(
    .enabled(if: LiveWitness.isInstalled, LiveWitness.installation),
    arguments: Fixture.allCases)
  func idsAndTextAreThoseOfTheInstalledReference(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer()
    let strings = try Fixture.recombinedStrings(2000)
    let answers = try LiveWitness.answers(tokenizer: fixture.path, strings: strings)
    try #require(answers.count == strings.count)
    for (string, answer) in zip(strings, answers) {
      #expect(try tokenizer.encode(string) == answer.ids, "\(string.debugDescription)")
      expectSameBytes(tokenizer.decode(answer.ids), answer.decoded, string)
    }
  }
}
