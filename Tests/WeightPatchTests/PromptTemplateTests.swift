import Testing
import WeightPatch

@Suite struct PromptTemplateTests {
  @Test(arguments: [
    ("{} is", "", " is"), ("The {}", "The ", ""), ("{}", "", ""),
    // One is the slot, whatever stands beside it.
    ("a {{}} b", "a {", "} b"), ("{}}", "", "}"), ("{{}", "{", ""),
    // Of several, the one that is not written as text.
    ("In {}, {{}} is", "In ", ", {} is"), ("{{}} and {{}}, {}", "{} and {}, ", ""), ("{{{}}} in {}", "{{}} in ", ""),
    // What would make one character with the brace.
    ("{}\u{200C}x", "", "\u{200C}x"), ("a{}\u{301}", "a", "\u{301}"), ("\r{}\n", "\r", "\n"),
  ])
  func parts(_ text: String, _ before: String, _ after: String) throws {
    let template = try #require(PromptTemplate(text))
    #expect(Array(template.before.utf8) == Array(before.utf8))
    #expect(Array(template.after.utf8) == Array(after.utf8))
    #expect(Array(template.text.utf8) == Array(text.utf8))
    #expect(Array(template.filled(with: "{}").utf8) == Array((before + "{}" + after).utf8))
  }

  @Test(arguments: ["", "{", "}{", "{ }", "{} {}", "{{}} {{}}", "{}{}", "{{}{}}"])
  func none(_ text: String) {
    #expect(PromptTemplate(text) == nil)
  }

  /// Whatever stands around the slot is read back, or cannot be written.
  @Test func everyTextOfBraces() {
    let pieces = ["", "{", "}", "{}", "{{}}", "x", "}{"]
    var written = 0
    for a in pieces {
      for b in pieces {
        for c in pieces {
          guard let template = PromptTemplate(before: a + b, after: c) else { continue }
          written += 1
          #expect(PromptTemplate(template.text) == template)
          #expect(template.filled(with: "s") == a + b + "s" + c)
        }
      }
    }
    #expect(written > 250)
  }

  @Test func hostileLengths() {
    let braces = String(repeating: "{{}}", count: 100_000)
    #expect(PromptTemplate(braces) == nil)
    #expect(PromptTemplate(braces + "{}")?.before == String(repeating: "{}", count: 100_000))
  }
}
