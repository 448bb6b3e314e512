package millrace.golden;

import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.WindowStore;

/** The topology of one operator, between the topics left, right and out. */
final class Operators {
    private static final Serde<String> TEXT = Serdes.String();
    private static final Consumed<String, String> CONSUMED = Consumed.with(TEXT, TEXT);

    private final StreamsBuilder builder = new StreamsBuilder();
    private final Op op;

    private Operators(Op op) {
        this.op = op;
    }

    static Topology topology(Op op) {
        Operators operators = new Operators(op);
        operators.add();
        return operators.builder.build();
    }

    private void add() {
        switch (op.type()) {
            case "stream-join" -> streamJoin().to(Answer.OUT);
            case "lookup" -> lookup().to(Answer.OUT);
            case "table-join" -> tableJoin().toStream().to(Answer.OUT);
            case "table" -> builder.table(Answer.LEFT, CONSUMED, Materialized.as("table")).toStream().to(Answer.OUT);
            case "aggregate" -> aggregate(builder.stream(Answer.LEFT, CONSUMED).groupByKey());
            default -> throw new IllegalArgumentException("there is no operator " + op.type());
        }
    }

    private KStream<String, String> streamJoin() {
        KStream<String, String> left = builder.stream(Answer.LEFT, CONSUMED);
        KStream<String, String> right = builder.stream(Answer.RIGHT, CONSUMED);
        JoinWindows within = JoinWindows.ofTimeDifferenceAndGrace(Op.time(0L), Op.time(op.grace()))
            .before(Op.time(op.before())).after(Op.time(op.after()));
        StreamJoined<String, String, String> stores = StreamJoined.with(TEXT, TEXT, TEXT);
        return switch (op.kind()) {
            case "inner" -> left.join(right, Rules::join, within, stores);
            case "left" -> left.leftJoin(right, Rules::join, within, stores);
            case "outer" -> left.outerJoin(right, Rules::join, within, stores);
            default -> throw noSuchKind();
        };
    }

    private KStream<String, String> lookup() {
        KStream<String, String> stream = builder.stream(Answer.LEFT, CONSUMED);
        KTable<String, String> table = builder.table(Answer.RIGHT, CONSUMED);
        return switch (op.kind()) {
            case "inner" -> stream.join(table, Rules::join);
            case "left" -> stream.leftJoin(table, Rules::join);
            default -> throw noSuchKind();
        };
    }

    private KTable<String, String> tableJoin() {
        KTable<String, String> left = builder.table(Answer.LEFT, CONSUMED);
        KTable<String, String> right = builder.table(Answer.RIGHT, CONSUMED);
        return switch (op.kind()) {
            case "inner" -> left.join(right, Rules::join);
            case "left" -> left.leftJoin(right, Rules::join);
            case "outer" -> left.outerJoin(right, Rules::join);
            default -> throw noSuchKind();
        };
    }

    private void aggregate(KGroupedStream<String, String> grouped) {
        switch (op.window()) {
            case "none" -> unwindowed(grouped).toStream().to(Answer.OUT);
            case "tumbling", "hopping", "sliding" -> timed(grouped).toStream().to(Answer.OUT, produced());
            case "session" -> sessions(grouped).toStream().to(Answer.OUT, produced());
            default -> throw new IllegalArgumentException("there is no window " + op.window());
        }
    }

    private Produced<Windowed<String>, String> produced() {
        return Produced.with(WindowedKeys.serde(op), TEXT);
    }

    private KTable<String, String> unwindowed(KGroupedStream<String, String> grouped) {
        // Without a cache, each record gives a result of its own.
        return grouped.aggregate(Rules::init, Rules::add, Materialized
            .<String, String, KeyValueStore<Bytes, byte[]>>with(TEXT, TEXT).withCachingDisabled());
    }

    private KTable<Windowed<String>, String> timed(KGroupedStream<String, String> grouped) {
        Materialized<String, String, WindowStore<Bytes, byte[]>> store =
            Materialized.<String, String, WindowStore<Bytes, byte[]>>with(TEXT, TEXT).withCachingDisabled();
        if (op.window().equals("sliding")) {
            SlidingWindows windows =
                SlidingWindows.ofTimeDifferenceAndGrace(Op.time(op.difference()), Op.time(op.grace()));
            return grouped.windowedBy(windows).emitStrategy(emit()).aggregate(Rules::init, Rules::add, store);
        }
        TimeWindows tumbling = TimeWindows.ofSizeAndGrace(Op.time(op.size()), Op.time(op.grace()));
        TimeWindows windows = op.advance() == null ? tumbling : tumbling.advanceBy(Op.time(op.advance()));
        return grouped.windowedBy(windows).emitStrategy(emit()).aggregate(Rules::init, Rules::add, store);
    }

    private KTable<Windowed<String>, String> sessions(KGroupedStream<String, String> grouped) {
        Materialized<String, String, SessionStore<Bytes, byte[]>> store =
            Materialized.<String, String, SessionStore<Bytes, byte[]>>with(TEXT, TEXT).withCachingDisabled();
        SessionWindows windows = SessionWindows.ofInactivityGapAndGrace(Op.time(op.gap()), Op.time(op.grace()));
        return grouped.windowedBy(windows).emitStrategy(emit())
            .aggregate(Rules::init, Rules::add, Rules::merge, store);
    }

    private EmitStrategy emit() {
        return op.isFinal() ? EmitStrategy.onWindowClose() : EmitStrategy.onWindowUpdate();
    }

    private IllegalArgumentException noSuchKind() {
        return new IllegalArgumentException("there is no " + op.type() + " of kind " + op.kind());
    }
}
