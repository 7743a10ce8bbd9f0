/* SPDX-License-Identifier: Apache-2.0 */
/* vectors.h - messages known octet by octet, for the tests of this room. */
#ifndef VECTORS_H
#define VECTORS_H

#include "account_vector.h"

/* dm-representation.md 4.7: a first message, 275 octets */
static const char package1_hex[] =
        "02a4016a006d6c7103312e3200017203444d2f312e3200016503413100015b033100016e5703687474703a2f"
        "2f646d2e6578616d706c652f73000101675703494d45493a3030343939393031303634303030300001560364"
        "65762d303030310001014e5a000147036236340001530373796e636d6c3a617574682d6d643500010100004f"
        "03677238583061697551567644563751477658516c39413d3d0001015a00014c03383139320001010100006b"
        "464b033100014f0331323031000101604b03320001546757032e2f446576496e666f2f44657649640001015a"
        "0001470363687200015303746578742f706c61696e00010100004f03494d45493a3030343939393031303634"
        "3030303000010101120101";

/* the same as XML, without the declaration */
static const char package1_xml[] =
        "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</"
        "VerProto><SessionID>A1</SessionID><MsgID>1</MsgID><Target><LocURI>http://dm.exam"
        "ple/s</LocURI></Target><Source><LocURI>IMEI:004999010640000</LocURI><LocName>dev"
        "-0001</LocName></Source><Cred><Meta><Format xmlns=\"syncml:metinf\">b64</Format><T"
        "ype xmlns=\"syncml:metinf\">syncml:auth-md5</Type></Meta><Data>gr8X0aiuQVvDV7QGvXQ"
        "l9A==</Data></Cred><Meta><MaxMsgSize xmlns=\"syncml:metinf\">8192</MaxMsgSize></Me"
        "ta></SyncHdr><SyncBody><Alert><CmdID>1</CmdID><Data>1201</Data></Alert><Replace>"
        "<CmdID>2</CmdID><Item><Source><LocURI>./DevInfo/DevId</LocURI></Source><Meta><Fo"
        "rmat xmlns=\"syncml:metinf\">chr</Format><Type xmlns=\"syncml:metinf\">text/plain</T"
        "ype></Meta><Data>IMEI:004999010640000</Data></Item></Replace><Final/></SyncBody>"
        "</SyncML>";

/* 4.8: an Add of four octets, 160 octets */
static const char binary_hex[] =
        "02a4016a006d6c7103312e3200017203444d2f312e3200016503413100015b033100016e5703494d45493a30"
        "3034393939303130363430303030000101675703687474703a2f2f646d2e6578616d706c652f73000101016b"
        "454b03330001546e57032e2f412f620001015a0001470362696e000153036170706c69636174696f6e2f6f63"
        "7465742d73747265616d00010100004fc304000102ff010101120101";

/* 4.9: a TNDS document, 129 octets */
static const char tnds_hex[] =
        "0200006a1b2d2f2f4f4d412f2f4454442d444d2d44444620312e322f2f454e000002607703312e3200016466"
        "034163633100016f5c250175510375726e3a6f6d613a6d6f3a6f6d612d646d2d646d6163633a312e30000101"
        "01646603417070494400016f5c0b01756103746578742f706c61696e00010101760377370001010101";

#endif
