import Foundation
import KnowledgeEditing
import Tensors
import ToolSupport

/// Lines of standard input, each answered by every speaker, who remembers what both sides said before.
struct Conversation {
  private let speakers: [Speaker]

  init(_ speakers: [Speaker]) {
    self.speakers = speakers
  }

  /// Until the input ends.
  ///
  /// - Throws: an `ErrataError` if the conversation has become too long for a model.
  func run() throws {
    let isTerminal = isatty(STDIN_FILENO) == 1
    var earlier = speakers.map { _ in [ChatFormat.Exchange]() }
    var random = speakers.map { RandomSource(seed: $0.seed) }
    while let words = nextLine(isTerminal) {
      if words.allSatisfy(\.isWhitespace) { continue }
      for index in speakers.indices {
        let reply = try speakers[index].reply(to: words, after: earlier[index], &random[index])
        earlier[index].append((words, reply))
        print(text: speakers.count > 1 ? "\(speakers[index].name): \(reply)" : reply)
      }
      fflush(nil)
    }
  }

  private func nextLine(_ isTerminal: Bool) -> String? {
    if isTerminal { FileHandle.standardError.write(Data("> ".utf8)) }
    return readLine()
  }
}
