package millrace.golden;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import java.time.Duration;

/**
 * An operator with its settings; those that it doesn't have are null. Times are milliseconds.
 *
 * <table>
 * <tr><td>stream-join</td><td>kind, before, after, grace</td></tr>
 * <tr><td>lookup, table-join</td><td>kind</td></tr>
 * <tr><td>table</td><td></td></tr>
 * <tr><td>aggregate</td><td>window, emit (update or final) and, unless window is none, grace</td></tr>
 * <tr><td>... tumbling</td><td>size</td></tr>
 * <tr><td>... hopping</td><td>size, advance</td></tr>
 * <tr><td>... sliding</td><td>difference</td></tr>
 * <tr><td>... session</td><td>gap</td></tr>
 * </table>
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({"type", "window", "kind", "before", "after", "size", "advance", "difference", "gap", "grace", "emit"})
record Op(String type, String window, String kind, Long before, Long after, Long size, Long advance, Long difference,
    Long gap, Long grace, String emit) {

    static Op table() {
        return new Op("table", null, null, null, null, null, null, null, null, null, null);
    }

    static Op join(String type, String kind) {
        return new Op(type, null, kind, null, null, null, null, null, null, null, null);
    }

    static Op streamJoin(String kind, long before, long after, long grace) {
        return new Op("stream-join", null, kind, before, after, null, null, null, null, grace, null);
    }

    static Op unwindowed() {
        return new Op("aggregate", "none", null, null, null, null, null, null, null, null, "update");
    }

    static Op tumbling(long size, long grace, String emit) {
        return new Op("aggregate", "tumbling", null, null, null, size, null, null, null, grace, emit);
    }

    static Op hopping(long size, long advance, long grace, String emit) {
        return new Op("aggregate", "hopping", null, null, null, size, advance, null, null, grace, emit);
    }

    static Op sliding(long difference, long grace, String emit) {
        return new Op("aggregate", "sliding", null, null, null, null, null, difference, null, grace, emit);
    }

    static Op session(long gap, long grace, String emit) {
        return new Op("aggregate", "session", null, null, null, null, null, null, gap, grace, emit);
    }

    boolean hasTwoInputs() {
        return !type.equals("table") && !type.equals("aggregate");
    }

    boolean isWindowed() {
        return type.equals("aggregate") && !window.equals("none");
    }

    boolean isFinal() {
        return "final".equals(emit);
    }

    /** A setting of milliseconds; zero where it isn't given. */
    static Duration time(Long millis) {
        return Duration.ofMillis(millis == null ? 0 : millis);
    }
}
