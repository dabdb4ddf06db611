use super::*;
use crate::ec2::instance::Instances;

fn found(instance: &str) -> Option<String> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
         <requestId>8f7724cf</requestId><reservationSet><item><reservationId>r-1</reservationId><ownerId>123456789012</ownerId>\
         <groupSet/><instancesSet><item>{instance}</item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
    );
    let page: Instances = quick_xml::de::from_str(&text).expect("a page");
    assert_eq!(page.next_token, "");
    let reservation = &page.reservation_set.item[0];
    let zones = BTreeMap::from([("eu-west-1a".to_owned(), "euw1-az3".to_owned())]);
    let region = Region { name: "eu-west-1", port: 9100, zones: &zones };
    let group = target(&reservation.instances_set.item[0], &reservation.owner_id, &region)?;
    let labels: Vec<String> = group
        .labels
        .iter()
        .map(|(name, value)| format!("{}={value}", name.strip_prefix("__meta_ec2_").expect("the prefix")))
        .collect();
    Some(format!("{} {}", group.targets.join(" "), labels.join(" ")))
}

const BASE: &str = "<instanceId>i-1</instanceId><imageId>ami-1</imageId><instanceState><code>16</code><name>running</name></instanceState>\
    <instanceType>m1.small</instanceType><placement><availabilityZone>eu-west-1a</availabilityZone><tenancy>default</tenancy></placement>";
const BASE_LABELS: &str = "ami=ami-1 availability_zone=eu-west-1a availability_zone_id=euw1-az3";

fn interface(device: u16, subnet: &str, addresses: &[(&str, bool)]) -> String {
    let addresses: String = addresses
        .iter()
        .map(|(address, is_primary)| {
            format!("<item><ipv6Address>{address}</ipv6Address><isPrimaryIpv6>{is_primary}</isPrimaryIpv6></item>")
        })
        .collect();
    format!(
        "<item><subnetId>{subnet}</subnetId><attachment><deviceIndex>{device}</deviceIndex></attachment>\
         <ipv6AddressesSet>{addresses}</ipv6AddressesSet></item>"
    )
}

#[test]
fn an_instance_is_a_target() {
    let all = format!(
        "{BASE}<privateDnsName>ip-10-0-0-1.ec2.internal</privateDnsName><dnsName>ec2-1.amazonaws.com</dnsName>\
         <privateIpAddress>10.0.0.1</privateIpAddress><ipAddress>54.1.2.3</ipAddress><architecture>arm64</architecture>\
         <platform>windows</platform><instanceLifecycle>spot</instanceLifecycle>\
         <tagSet><item><key>Na.me</key><value>a &amp; b</value></item><item><key>empty</key><value/></item></tagSet>"
    );
    let want = String::from(
        "10.0.0.1:9100 ami=ami-1 architecture=arm64 availability_zone=eu-west-1a availability_zone_id=euw1-az3 instance_id=i-1 instance_lifecycle=spot instance_state=running instance_type=m1.small \
         owner_id=123456789012 platform=windows private_dns_name=ip-10-0-0-1.ec2.internal private_ip=10.0.0.1 \
         public_dns_name=ec2-1.amazonaws.com public_ip=54.1.2.3 region=eu-west-1 tag_Na_me=a & b",
    );
    assert_eq!(found(&all), Some(want));
    assert_eq!(found(BASE), None, "an instance without an address, as one that has ended");
}

#[test]
fn an_instance_in_a_vpc_tells_its_subnets_and_ipv6_addresses() {
    let in_vpc = |interfaces: &[String]| {
        let interfaces = interfaces.concat();
        format!(
            "{BASE}<vpcId>vpc-1</vpcId><subnetId>subnet-1</subnetId>\
             <networkInterfaceSet>{interfaces}</networkInterfaceSet>"
        )
    };
    let check = |interfaces: &[String], want: Option<(&str, &str, &str)>| {
        let want = want.map(|(address, ipv6, rest)| {
            let (before, after) = ipv6.split_once('|').unwrap_or((ipv6, ""));
            format!(
                "{address} {BASE_LABELS} {before}instance_id=i-1 instance_state=running instance_type=m1.small {after}\
                 owner_id=123456789012 {rest}"
            )
        });
        assert_eq!(found(&in_vpc(interfaces)), want);
    };
    check(&[interface(0, "subnet-1", &[])], None);
    check(
        &[interface(0, "subnet-1", &[("2001:db8::1", false)]), interface(1, "subnet-1", &[("2001:db8::2", false)])],
        Some((
            "[2001:db8::1]:9100",
            "default_ipv6_address=2001:db8::1 |ipv6_addresses=,2001:db8::1,2001:db8::2, ",
            "primary_subnet_id=subnet-1 region=eu-west-1 subnet_id=,subnet-1, vpc_id=vpc-1",
        )),
    );
    // Primary ones stand at the index of their interface, and what has no subnet doesn't count.
    check(
        &[
            interface(0, "subnet-1", &[("2001:db8::1", false)]),
            interface(2, "subnet-2", &[("2001:db8::2", true), ("2001:db8::3", false)]),
            interface(3, "", &[("2001:db8::4", true)]),
        ],
        Some((
            "[2001:db8::2]:9100",
            "default_ipv6_address=2001:db8::2 |ipv6_addresses=,2001:db8::1,2001:db8::2,2001:db8::3, ",
            "primary_ipv6_addresses=,,,2001:db8::2, primary_subnet_id=subnet-1 region=eu-west-1 \
             subnet_id=,subnet-1,subnet-2, vpc_id=vpc-1",
        )),
    );
    let far = found(&in_vpc(&[interface(65535, "subnet-1", &[("2001:db8::1", true)])])).expect("a target");
    assert!(far.len() < 1000, "an index that can't be makes no list of its length: {far}");
}
