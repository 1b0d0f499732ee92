import Tensors
import WeightPatch

/// How a model's chats are written as text (Spec/facts.md: chat formats).
///
/// A turn is a text with `{}` where its words stand. Together they give what the `chat_template` of `transformers`
/// gives for system, user and assistant turns; tools and what else a template can do are left out.
public struct ChatFormat: Sendable, Equatable {
  /// How messages name it.
  public var name: String
  /// What every chat begins with, before the first turn; the token that begins a text is part of it.
  public var beginning = ""
  /// The system's turn. Where a format has none, what stands before the words of the first user.
  public var system: String
  public var systemIsPartOfUser = false
  /// What the system says if nobody says otherwise; nil if it then says nothing.
  public var defaultSystem: String?
  public var user: String
  /// A reply that is over.
  public var assistant: String
  /// From the end of the user's turn to where a reply begins; of a model that thinks first, with a thought that is
  /// empty.
  public var reply: String
  /// What stands between `reply` and the words of the reply.
  public var targetPrefix = ""
  /// SHA-256 of the template that it was recognised by; nil if there is none.
  public var template: Digest?

  /// One exchange that came before.
  public typealias Exchange = (user: String, assistant: String)

  /// What is around a user's words so that the model's reply comes next.
  ///
  /// - Parameters:
  ///   - system: what the system says; nil for the format's own words, if it has some.
  ///   - earlier: what was said before.
  public func form(system: String? = nil, after earlier: [Exchange] = []) -> Manifest.Form {
    form(saying: system ?? defaultSystem, after: earlier)
  }

  /// The same with nothing but `system` in the system's turn; without that turn, if it is nil.
  func form(saying system: String?, after earlier: [Exchange] = []) -> Manifest.Form {
    var before = beginning
    let words = system.map { Self.fill(self.system, $0) } ?? ""
    if !systemIsPartOfUser { before += words }
    // The first user's words follow the system's.
    var opening = systemIsPartOfUser ? words : ""
    for exchange in earlier {
      before += Self.fill(user, opening + exchange.user) + Self.fill(assistant, exchange.assistant)
      opening = ""
    }
    let turn = PromptTemplate(user)!
    return Manifest.Form(
      system: system, template: template,
      turn: .init(before: before + turn.before + opening, after: turn.after + reply))
  }

  private static func fill(_ turn: String, _ words: String) -> String { PromptTemplate(turn)!.filled(with: words) }
}
