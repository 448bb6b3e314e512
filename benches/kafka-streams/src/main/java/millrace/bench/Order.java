package millrace.bench;

/** An order as both decisions and results carry it; the note stands for fields that the rule doesn't look at. */
public class Order {
    public long id;
    public long customerId;
    public long productId;
    public int productCount;
    public double price;
    public String status;
    public String source;
    public String note;
}
