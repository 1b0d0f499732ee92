import Tensors
import Testing

@Suite struct BoundedListTests {
  @Test(arguments: [
    (0, ""), (1, "1"), (5, "1, 2, 3, 4, 5"), (6, "1, 2, 3, 4, 5 and 1 more"), (6000, "1, 2, 3, 4, 5 and 5995 more"),
  ]) func namesTheFirst(count: Int, text: String) {
    #expect(boundedList((0..<count).map { "\($0 + 1)" }) == text)
  }

  @Test func separatesAndStopsWhereAsked() {
    #expect(boundedList(["a", "b", "c"], separator: "; ", most: 2) == "a; b and 1 more")
  }
}
